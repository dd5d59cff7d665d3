"""The embedded stack: everything Codeloom needs, as child processes of one supervisor."""
