"""A GPU that does not come up or that fails: said once, nothing lost; an error if insisted on."""

from __future__ import annotations

import ctypes
import logging
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from serve import BrainTumorClassifier, ModelError, providers, session
from serve.artifacts import INT8_NAME, ONNX_NAME
from serve.providers import CPU, CUDA, DeviceError
from tests.reliability.failing_gpu import REASON, Failing


@pytest.fixture(autouse=True)
def heard(caplog, monkeypatch):
    """Whatever other tests have done to the loggers of this process."""
    caplog.set_level(logging.WARNING)
    monkeypatch.setattr(session._log, "disabled", False)
    monkeypatch.setattr(session._log, "propagate", True)


@pytest.fixture
def promising(monkeypatch):
    """The driver and the libraries are found, as on a machine with a GPU."""
    monkeypatch.setattr(providers, "_cuda_problem", lambda: None)


@pytest.fixture
def failing(promising, monkeypatch):
    """A GPU that comes up and fails in mid-run, from its second batch on."""
    opened = session._open

    def open_failing(path, provider, threads):
        return Failing(path, 1) if provider == CUDA else opened(path, provider, threads)

    monkeypatch.setattr(session, "_open", open_failing)


def test_a_gpu_that_cannot_be_started_is_said_once(promising, scans, caplog, capfd):
    classifier = BrainTumorClassifier()
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith("no GPU to run on: ")
    assert record.getMessage().endswith(": the CPU is used")
    assert (classifier.provider, classifier.model) == (CPU, INT8_NAME)
    assert [answer.provider for answer in classifier.predict(scans)] == [CPU] * len(scans)
    assert len(caplog.records) == 1
    assert capfd.readouterr().err == ""  # ONNX Runtime does not say it as well


def test_a_gpu_that_was_asked_for_and_cannot_be_started_is_an_error(promising, caplog):
    with pytest.raises(DeviceError, match=r"^no GPU to run on: "):
        BrainTumorClassifier(device="cuda")
    assert not caplog.records


def test_a_broken_file_is_not_the_gpus_fault(promising, tmp_path, caplog):
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"no model")
    for device in ("auto", "cuda"):
        with pytest.raises(ModelError, match=r"broken\.onnx: not an ONNX model"):
            BrainTumorClassifier(path, device)
    assert not caplog.records


def test_a_gpu_that_fails_in_mid_run_costs_no_picture(failing, scans, caplog):
    classifier = BrainTumorClassifier()
    assert (classifier.provider, classifier.model) == (CUDA, ONNX_NAME)
    expected = BrainTumorClassifier(device="cpu", model="fp32").predict(scans * 2)
    found = classifier.predict(scans * 2)
    assert [one.label for one in found] == [one.label for one in expected]
    assert [one.provider for one in found] == [CUDA] * 8 + [CPU] * 8
    (record,) = caplog.records
    assert record.getMessage() == f"the GPU failed ({REASON}): the CPU is used"
    assert classifier.provider == CPU


def test_whichever_thread_sees_it_first(failing, scans, caplog):
    classifier = BrainTumorClassifier()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(classifier.predict, scans))
    assert [one.path for one in found] == [str(scan) for scan in scans]
    assert len(caplog.records) == 1


def test_a_gpu_that_was_asked_for_and_fails_is_an_error(failing, scans):
    classifier = BrainTumorClassifier(device="cuda")
    classifier.predict(scans[0])
    with pytest.raises(DeviceError, match="the GPU failed"):
        classifier.predict(scans[0])


def test_there_is_no_other_device():
    with pytest.raises(DeviceError, match="device 'tpu' is none of auto, cpu, cuda"):
        BrainTumorClassifier(device="tpu")


@pytest.mark.skipif(CUDA not in session.ort.get_available_providers(), reason="needs CUDA's build")
def test_a_driver_without_cudas_libraries_is_said_and_nothing_is_printed(monkeypatch, capfd):
    """ONNX Runtime prints what it cannot load to standard output, where answers go."""

    class Driver:
        def cuInit(self, flags):
            return 0

        def cuDeviceGetCount(self, count):
            count._obj.value = 1
            return 0

    def load(name):
        if "libcuda.so" in name:
            return Driver()
        raise OSError("libcublasLt.so.13: cannot open shared object file")

    stand_in = SimpleNamespace(CDLL=load, c_int=ctypes.c_int, byref=ctypes.byref)
    monkeypatch.setattr(providers, "ctypes", stand_in)
    problem = providers._cuda_problem.__wrapped__()
    assert problem.startswith("a CUDA or cuDNN library is missing (libcublasLt.so.13")
    assert capfd.readouterr() == ("", "")
