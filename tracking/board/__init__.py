"""The dashboard's server: `sgtrack board`. Needs the extra `board`; nothing else imports it."""
