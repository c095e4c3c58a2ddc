import createClient, { type Client } from "openapi-fetch";

import type { paths as CoordinatorPaths } from "./coordinator";
import type { paths as DocumentsPaths } from "./documents";

export type Coordinator = Client<CoordinatorPaths>;
export type Documents = Client<DocumentsPaths>;

/** One thing that is wrong with a request: where (a path of names and indexes), and what, in the server's words. */
export type FieldProblem = { loc: (string | number)[]; msg: string };

export const UNREACHABLE = "The server can't be reached. It may be restarting; trying again is safe.";

/** A request that was refused or not answered. `message` is for people: the server's own words where it had any. */
export class ApiError extends Error {
  override readonly name = "ApiError";

  /**
   * @param status the HTTP status; 0 when no answer came.
   * @param fields what was wrong with which field, where the server says so.
   * @param retryAfter seconds after which trying again may help; null when the server does not say.
   */
  constructor(
    message: string,
    readonly status: number,
    readonly fields: readonly FieldProblem[] = [],
    readonly retryAfter: number | null = null,
  ) {
    super(message);
  }
}

/** Sends a request, as `fetch` does. */
export type Send = (request: Request) => Promise<Response>;

const plainly: Send = (request) => fetch(request);

/** @param send what every request goes through. */
export const createCoordinator = (baseUrl: string, send: Send = plainly): Coordinator =>
  createClient<CoordinatorPaths>({ baseUrl, fetch: send });
export const createDocuments = (baseUrl: string, send: Send = plainly): Documents =>
  createClient<DocumentsPaths>({ baseUrl, fetch: send });

/** The error that a server's `{"detail": …}` stands for. */
export function errorFrom(status: number, body: unknown, retryAfter: string | null): ApiError {
  const detail = typeof body === "object" && body !== null && "detail" in body ? body.detail : undefined;
  const seconds = retryAfter !== null && /^\d+$/.test(retryAfter) ? Number(retryAfter) : null;
  if (Array.isArray(detail)) {
    const fields = detail.filter(isFieldProblem);
    return new ApiError(fields.map(inWords).join("; ") || `HTTP status ${status}`, status, fields, seconds);
  }
  return new ApiError(typeof detail === "string" ? detail : `HTTP status ${status}`, status, [], seconds);
}

type Answer<T> = { data?: T; error?: unknown; response: Response };

/** The body of an answer. Throws ApiError when there is none, or when it says no. */
export async function bodyOf<T>(request: Promise<Answer<T>>): Promise<T> {
  return (await answerTo(request)).body;
}

/** The body and the headers of an answer. Throws ApiError as `bodyOf` does. */
export async function answerTo<T>(request: Promise<Answer<T>>): Promise<{ body: T; response: Response }> {
  let answer: Answer<T>;
  try {
    answer = await request;
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(UNREACHABLE, 0);
  }
  if (!answer.response.ok) {
    throw errorFrom(answer.response.status, answer.error, answer.response.headers.get("Retry-After"));
  }
  return { body: answer.data as T, response: answer.response };
}

function isFieldProblem(value: unknown): value is FieldProblem {
  return typeof value === "object" && value !== null && "msg" in value && typeof value.msg === "string";
}

function inWords(problem: FieldProblem): string {
  const where = (problem.loc ?? []).filter((part) => part !== "body" && part !== "query").join(".");
  return where ? `${where}: ${problem.msg}` : problem.msg;
}
