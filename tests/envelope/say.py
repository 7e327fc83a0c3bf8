"""The envelope commands as a process of their own: python -m tests.envelope.say run european-lv."""

from envelope.command_line.commands import app

if __name__ == "__main__":
    app()
