"""The default vendor: no key, no network, in-process engines from wheels."""
