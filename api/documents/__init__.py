"""The documents server: uploads and downloads of files, what describes them, and how often each tag is used."""
