"""The contract with Redis: every key, channel, message and script, and the typed operations on them.

Imported by `api`, `workers` and `agent_bridge`; imports none of them. Nothing connects at import, and importing this
package alone costs nothing: the bridge is imported into strangers' processes.
"""
