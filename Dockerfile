FROM node:24-slim AS dashboard
WORKDIR /source/dashboard
COPY dashboard/package.json dashboard/package-lock.json dashboard/.npmrc ./
RUN npm ci
COPY dashboard/ ./
RUN npm run build

FROM python:3.12-slim AS build
WORKDIR /source
RUN python -m venv /opt/agent-orchestrator
COPY requirements-image.lock ./
RUN /opt/agent-orchestrator/bin/pip install --no-cache-dir --require-hashes -r requirements-image.lock
COPY pyproject.toml README.md LICENSE ./
COPY agent_bus/ agent_bus/
COPY api/ api/
COPY --from=dashboard /source/api/static/ api/static/
COPY workers/ workers/
COPY agent_bridge/ agent_bridge/
RUN /opt/agent-orchestrator/bin/pip install --no-cache-dir --no-deps . \
    && /opt/agent-orchestrator/bin/pip uninstall --yes pip

FROM python:3.12-slim
# A named volume takes over the owner of the folder that it is mounted on; /access is for Redis' file of users.
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin orchestrator \
    && install --directory --owner=orchestrator --group=orchestrator /data /access
COPY --from=build /opt/agent-orchestrator /opt/agent-orchestrator
ENV PATH=/opt/agent-orchestrator/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    AGENT_ORCHESTRATOR_PROJECT_DIR=/data
WORKDIR /data
USER 10001:10001
EXPOSE 8765 8766
ENTRYPOINT ["agent-orchestrator"]
CMD ["--help"]
