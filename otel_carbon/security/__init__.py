"""Who may reach an address that the gateway listens on: TLS, client certificates, bearer tokens."""
