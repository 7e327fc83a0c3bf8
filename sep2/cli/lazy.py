"""A group of commands that are named only, and imported when they are used."""

import json
from importlib import import_module
from typing import Any

import msgspec
import typer
from typer.core import TyperCommand, TyperGroup

from sep2.cli.table import TABLE, Entry
from sep2.cli.verb import NOTHING_GIVEN, given, renamed
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
USAGE: type[Exception] = typer.BadParameter.__mro__[1]
"""What Typer raises for options and arguments that can not be understood; it has no public name."""
OF_THE_PARSER = "Value error, "
"""How Typer begins what a choice or a function that parses says."""
COMPLETION = ("install_completion", "show_completion")


class Sep2(TyperGroup):
    """The command `sep2` with its own commands and those of extensions: names and summaries, until one is used."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._own: dict[str, Entry] = {}
        for entry in TABLE:
            self._own[entry.name] = entry
            self.add_command(TyperCommand(entry.name, help=entry.summary, hidden=bool(entry.now_called)), entry.name)
        self._homes: dict[str, str] = {}
        for extension in (BUILT_IN, *load()):
            for name, home in extension.commands.items():
                if name in self.commands:
                    continue
                summary = extension.summaries.get(name, f"From the extension {extension.name}.")
                self._homes[name] = home
                self.add_command(TyperCommand(name, help=summary), name)

    def import_own(self) -> None:
        """Have every command of ours in the place of its stand-in."""
        for entry in self._own.values():
            self.commands[entry.name] = command_of(entry)
        self._own.clear()

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command itself, imported now if it was only named so far."""
        name, command, rest = super().resolve_command(ctx, args)
        if name in self._own:
            command = command_of(self._own[name])
        elif name in self._homes:
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
        typed = [*getattr(ctx, "_protected_args", ()), *ctx.args]  # the parser takes them away
        try:
            return super().invoke(ctx)
        except USAGE as wrong:
            wrong.message = wrong.message.removeprefix(OF_THE_PARSER)  # type: ignore[attr-defined]
            if "--json" in typed:
                say_json(json.dumps(_usage_as_json(wrong), indent=2, ensure_ascii=False))
            raise
        except SepError as refusal:
            if getattr(refusal, "is_error", True):
                typer.secho(shown(f"Error: {refusal}", MOST_OF_AN_ERROR), fg=typer.colors.RED, err=True)
            else:
                typer.echo(shown(refusal, MOST_OF_AN_ERROR), err=True)
            for line in getattr(refusal, "lines", ()):
                typer.secho(f"  {shown(line, MOST_OF_AN_ERROR)}", fg=typer.colors.RED, err=True)
            if hint := getattr(refusal, "hint", ""):
                typer.secho(hint, fg=typer.colors.RED, err=True)
            if given.get().as_json:
                say_json(json.dumps(_as_json(refusal, hint), indent=2, ensure_ascii=False))
            raise typer.Exit(getattr(refusal, "exit_status", 1)) from None


def command_of(entry: Entry) -> Any:
    """The command, or the noun with its verbs."""
    module, _, attribute = entry.home.partition(":")
    found = getattr(import_module(f"sep2.cli.{module}"), attribute)
    outer = typer.Typer()
    if not isinstance(found, typer.Typer):
        outer.command(entry.name)(found)
    elif not isinstance(found.info.help, str):  # no noun, but what has the command
        outer.add_typer(found)
    else:
        if entry.has_history and all(one.name != "history" for one in found.registered_commands):
            import_module("sep2.cli.looking").add_history(entry.now_called or entry.name, found)
        before = renamed(entry.name, entry.now_called) if entry.now_called else None
        outer.add_typer(found, name=entry.name, hidden=before is not None, callback=before)
    return typer.main.get_group(outer).commands[entry.name]


def _usage_as_json(wrong: Any) -> dict[str, Any]:
    """What can not be understood of a command, for programs: the field is the option or the argument."""
    param = getattr(wrong, "param", None)
    field = "" if param is None else (param.opts[0] if param.opts else param.name)
    usage = f"{wrong.ctx.command_path} --help" if wrong.ctx is not None else "sep2 --help"
    return {"code": "usage", "message": wrong.format_message(), "field": field, "hint": usage}


def _as_json(refusal: SepError, hint: str) -> dict[str, Any]:
    """A refusal for programs: its stable code, a message, the field that it is about, and what to do."""
    if (answer := getattr(refusal, "answer", None)) is not None:
        return dict(answer)
    code = getattr(refusal, "refusal", refusal.code)
    said = {"code": code, "message": str(refusal), "field": getattr(refusal, "field", ""), "hint": hint}
    faults = [msgspec.to_builtins(one) for one in getattr(refusal, "faults", ())]
    return said | ({"faults": faults} if faults else {})
