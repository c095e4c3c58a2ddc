from agent_bus.coordinator_address import DEFAULT_API_URL, find_api_url


def test_the_argument_comes_before_the_variable_before_the_local_default() -> None:
    environ = {"AGENT_ORCHESTRATOR_API_URL": "http://b:1/"}
    assert find_api_url("http://a:1/", environ) == "http://a:1"
    assert find_api_url(None, environ) == "http://b:1"
    assert find_api_url(None, {}) == DEFAULT_API_URL
