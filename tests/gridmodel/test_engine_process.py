"""OpenDSS in a process of its own: whatever becomes of it, its caller goes on and the next call is answered."""

import io
import os
import pickle
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from gridmodel import FileError, GridError, engine_process, read_feeder
from gridmodel.engine_process import EngineStopped
from gridmodel.errors import FileFaults
from gridmodel.solvers.own_file import own_file_of
from tests.gridmodel.street import HEAD, write


def child() -> subprocess.Popen:
    return engine_process._PROCESS.child


def test_the_engine_is_not_loaded_where_a_circuit_is_read(tmp_path):
    read_feeder(write(tmp_path))
    assert child().pid != os.getpid()
    loaded = Path(f"/proc/{child().pid}/maps").read_text()
    assert "dss_capi" in loaded or "altdss" in loaded


@pytest.mark.parametrize("how", [signal.SIGSEGV, signal.SIGKILL])
def test_a_crash_is_an_error_and_the_next_circuit_is_read(tmp_path, how):
    feeder = read_feeder(write(tmp_path))
    own = own_file_of(feeder.network)
    # It stands still, is asked, and then crashes in the midst of it.
    pid = child().pid
    os.kill(pid, signal.SIGSTOP)
    crash = threading.Timer(0.2, lambda: [os.kill(pid, sent) for sent in (how, signal.SIGCONT)])
    crash.start()
    with pytest.raises(EngineStopped, match=f"ended by itself \\({how.name}\\)"):
        own.solve([{}])
    crash.join()
    with pytest.raises(EngineStopped, match="open the circuit again"):
        own.solve([{}])
    assert own_file_of(read_feeder(write(tmp_path)).network).solve([{}]).converged.all()


def test_an_engine_that_crashes_on_what_earlier_circuits_left_reads_the_circuit_anew(tmp_path):
    path = write(tmp_path)
    read_feeder(path)
    pid = child().pid
    os.kill(pid, signal.SIGSTOP)
    crash = threading.Timer(0.2, lambda: [os.kill(pid, sent) for sent in (signal.SIGSEGV, signal.SIGCONT)])
    crash.start()
    assert len(read_feeder(path).network.connections) == 2
    crash.join()
    assert child().pid != pid


def test_a_hang_ends_at_the_time_limit(tmp_path, monkeypatch):
    path = write(tmp_path)
    read_feeder(path)
    monkeypatch.setattr(engine_process, "TIME_LIMIT_S", 0.3)
    os.kill(child().pid, signal.SIGSTOP)
    with pytest.raises(EngineStopped, match=r"did not answer within 0.3 s"):
        read_feeder(path)
    monkeypatch.undo()
    assert len(read_feeder(path).network.connections) == 2


def test_a_process_that_ended_while_nobody_asked_is_started_anew(tmp_path):
    path = write(tmp_path)
    read_feeder(path)
    before = child()
    before.kill()
    while before.poll() is None:
        time.sleep(0.01)
    assert len(read_feeder(path).network.connections) == 2


def test_faults_of_a_circuit_come_with_their_rows(tmp_path, monkeypatch):
    path = write(tmp_path, "New Isource.strange bus1=yard\nNew UPFC.other bus1=yard\n")
    first = HEAD.count("\n") + 1
    with pytest.raises(FileFaults) as found:
        read_feeder(path)
    assert [fault.row for fault in found.value.all] == [first, first + 1]
    assert all(isinstance(fault, FileError) for fault in found.value.all)
    write(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert read_feeder(path.name).network.circuit_file == path.name


def test_only_data_of_ours_is_taken_from_it():
    class Command:
        def __reduce__(self):
            return os.system, ("true",)

    sent = pickle.dumps(("done", Command()))
    with pytest.raises(pickle.UnpicklingError, match="system"):
        engine_process._Answer(io.BytesIO(sent)).load()
    inside = b"\x80\x04\x8c\x18gridmodel.engine_process\x8c\x10subprocess.Popen\x93."
    with pytest.raises(pickle.UnpicklingError):
        engine_process._Answer(io.BytesIO(inside)).load()
    kept = pickle.loads(pickle.dumps(FileError("a.dss", "is wrong", row=3, field="kv")))
    assert (str(kept), kept.row, kept.field) == ("a.dss, row 3, field kv: is wrong", 3, "kv")
    assert isinstance(kept, GridError)
