"""A group of commands of which some are named only, and imported when they are used."""

import json
from typing import Any

import msgspec
import typer
from typer.core import TyperCommand, TyperGroup

from sep2.cli.verb import NOTHING_GIVEN, given
from sep2.errors import SepError
from sep2.extension import Extension, ExtensionError, load, resolve
from sep2.terminal import say_json, shown

BUILT_IN = Extension(
    "sep2",
    commands={
        "certs": "certs.commands:app",
        "load": "sep2.cli.load:app",
        "schema": "sep2.cli.wire:schema_app",
        "validate": "sep2.cli.wire:validate_app",
        "wire": "sep2.cli.wire:app",
    },
    summaries={
        "certs": "Make certificates, and read them: LFDI, SFDI, who issued what.",
        "load": "Put a load of clients on a server, and measure its answers.",
        "schema": "Print the XML Schema of a profile.",
        "validate": "Check a document with the schema and the codec.",
        "wire": "Show what a class or type of the wire language holds.",
    },
)


MOST_OF_AN_ERROR = 4000
COMPLETION = ("install_completion", "show_completion")


class LazyGroup(TyperGroup):
    """The commands of `sep2`: its own, and stand-ins for those of extensions until one of them is used."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._homes: dict[str, str] = {}
        for extension in (BUILT_IN, *load()):
            for name, home in extension.commands.items():
                if name in self.commands:
                    continue
                summary = extension.summaries.get(name, f"From the extension {extension.name}.")
                self._homes[name] = home
                self.add_command(TyperCommand(name, help=summary), name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command itself, imported now if it was only named so far."""
        name, command, rest = super().resolve_command(ctx, args)
        if name in self._homes:
            command = self._imported(name)
        return name, command, rest

    def _imported(self, name: str) -> Any:
        home = self._homes[name]
        try:
            command = typer.main.get_command(resolve(home))
        except ExtensionError as wrong:
            raise ExtensionError(f"`sep2 {name}`: {wrong.detail}; pip install 'sep2[envelope]'?") from wrong
        command.name = name
        # Completion is installed for `sep2` as a whole.
        command.params = [option for option in command.params if option.name not in COMPLETION]
        return command

    def invoke(self, ctx: Any) -> Any:
        """Run a command; what it refuses is said in one line, on standard error."""
        given.set(NOTHING_GIVEN)
        try:
            return super().invoke(ctx)
        except SepError as refusal:
            if getattr(refusal, "is_error", True):
                typer.secho(shown(f"Error: {refusal}", MOST_OF_AN_ERROR), fg=typer.colors.RED, err=True)
            else:
                typer.echo(shown(refusal, MOST_OF_AN_ERROR), err=True)
            if hint := getattr(refusal, "hint", ""):
                typer.secho(hint, fg=typer.colors.RED, err=True)
            if given.get().as_json:
                say_json(json.dumps(_as_json(refusal, hint), indent=2, ensure_ascii=False))
            raise typer.Exit(getattr(refusal, "exit_status", 1)) from None


def _as_json(refusal: SepError, hint: str) -> dict[str, Any]:
    """A refusal for programs: its stable code, a message, the field that it is about, and what to do."""
    if (answer := getattr(refusal, "answer", None)) is not None:
        return dict(answer)
    code = getattr(refusal, "refusal", refusal.code)
    said = {"code": code, "message": str(refusal), "field": getattr(refusal, "field", ""), "hint": hint}
    faults = [msgspec.to_builtins(one) for one in getattr(refusal, "faults", ())]
    return said | ({"faults": faults} if faults else {})
