"""Bad input: wrong kinds, numbers out of range, one text where several are meant; each an exception, at once, that says what."""
import errno
import io
import re
import sys
import unittest
from unittest import mock

from bed.house import ROOT
from bindings.python_bed import MODEL, Case, has, mlreg, python


class Kinds(Case):
    def raises_type_error(self, says, call):
        with self.subTest(says), self.assertRaisesRegex(TypeError, says):
            call()

    def test_kind__of_handle_that_is_wrong_is_named(self):
        model, other = self.built(), mlreg.Session("memory:")
        self.addCleanup(other.close)
        room = bytearray(10)
        with self.store.build() as builder:
            for says, call in (("op must be Op, not Session", lambda: self.store.resolve("team/tiny:v1", op=other)),
                               ("op must be Op, not str", lambda: builder.add_bytes(room, "a", op="x")),
                               ("runtime must be Runtime, not Session", lambda: mlreg.Session("memory:", runtime=other)),
                               ("wish must be Wish, not str", lambda: self.store.resolve("team/tiny:v1", "cuda")),
                               ("variant must be Wish, not str", lambda: self.store.copy("team/tiny:v1", other, variant="cuda")),
                               ("must be Artifact, not Session", lambda: builder.add_layer_of(other, 0)),
                               ("must be Artifact, not NoneType", lambda: builder.set_base(None)),
                               ("must be Artifact, not str", lambda: builder.add_child("a:b", "cpu")),
                               ("must be Artifact, not str", lambda: builder.add_children_of("a:b")),
                               ("auth must be callable, not str", lambda: mlreg.Session("memory:", auth="token")),
                               ("log must be callable, not int", lambda: mlreg.Session("memory:", log=1)),
                               ("a layer is a number or a title, not float", lambda: model.open(1.0))):
                self.raises_type_error(says, call)
        room.extend(b"not held")

    def test_kind__one_text_where_several_are_meant(self):
        model = self.built()
        with self.store.build(kind="image") as image:
            for name in "entrypoint", "cmd", "ports":
                self.raises_type_error(f"{name} must be several str", lambda name=name: image.set_image(**{name: "python3"}))
            self.raises_type_error("args must be several str", lambda: image.add_pip(self.folder() / "config.json", args="--no-index"))
            self.raises_type_error("also must be several str", lambda: image.commit("a:b", also="c"))
            self.raises_type_error(r"env\['A'\] must be str, not NoneType", lambda: image.set_image(env={"A": None}))
            self.assertRaises(mlreg.InvalidError, image.set_image, labels={"a=b": "c"})
            image.set_image(entrypoint=(word for word in ["python3", "serve.py"]))
        self.raises_type_error("exclude must be several str", lambda: model.checkout(self.dir / "out", exclude=b"*"))

    def test_kind__whatever_is_true_is_true(self):
        with mlreg.Session(self.dir / "new", create=2) as place:
            self.built(place=place)
        with mlreg.Session(self.dir / "new", readonly="yes") as place:
            self.assertRaises(mlreg.DeniedError, place.delete, "team/tiny:v1")


class Numbers(Case):
    def test_number__out_of_range_is_not_taken_modulo_anything(self):
        model = self.built()
        for wrong in (lambda: mlreg.Session("memory:", max_retries=-1), lambda: mlreg.Session("memory:", connect_timeout_ms=2**32),
                      lambda: mlreg.Session("memory:", stall_timeout_ms=2**32 - 1), lambda: mlreg.Runtime(max_threads=-1),
                      lambda: mlreg.Runtime(max_connections=2**40), lambda: mlreg.Runtime(memory_bytes=2**64),
                      lambda: mlreg.Runtime(max_bytes_per_s=-5), lambda: self.store.gc(grace_ms=-1), lambda: model.open(2**64),
                      lambda: self.store.build_index().add_child(model, "cpu", memory_bytes=-1),
                      lambda: mlreg.pull("127.0.0.1:1/team/x:v1", max_workers=0),
                      lambda: mlreg.push(self.folder(), "127.0.0.1:1/team/x:v1", max_workers=-1)):
            with self.assertRaisesRegex(mlreg.InvalidError, r"-\d|\d{6}|not 0"):
                wrong()
        with model.open("model.bin") as layer:
            room = bytearray(4)
            for offset in -1, 2**64:
                self.assertRaises(mlreg.InvalidError, layer.read_at, offset, room)
            self.assertEqual(layer.read_at(2**63, room), 0)
            self.assertEqual(layer.seek(2**80), 2**80)
            self.assertEqual(layer.read(), b"")
            for wrong in (lambda: layer.seek(1.0), lambda: layer.seek("1"), lambda: layer.read_at(1.0, room), lambda: layer.read(1.5),
                          lambda: mlreg.Session("memory:", max_retries=1.0)):
                self.assertRaises(TypeError, wrong)

    def test_number__none_is_the_default_and_0_is_none(self):
        evil = self.evil({"path": ".*", "status": 503, "body": "{}"})
        with mlreg.Session(f"http://{evil.host}", max_retries=0) as hub:
            self.assertRaises(mlreg.NetworkError, hub.tags, "team/x")
        self.assertEqual(len(evil.requests()), 1)
        with mlreg.Runtime(max_threads=0, max_connections=0, memory_bytes=0, max_bytes_per_s=0) as runtime, \
                mlreg.Session("memory:", runtime=runtime, connect_timeout_ms=0, stall_timeout_ms=0) as memory:
            self.assertEqual(self.built(place=memory).size, sum(map(len, MODEL.values())))

    @has("numpy")
    def test_number__may_be_one_of_numpy(self):
        import numpy
        with self.built().open(numpy.int64(0)) as layer:
            self.assertEqual(layer.seek(numpy.uint8(3)), 3)


class Said(Case):
    def test_error__speaks_python(self):
        with self.assertRaises(mlreg.NotFoundError) as caught:
            mlreg.Session(self.dir / "nowhere")
        self.assertIn("create=True", caught.exception.hint)
        with self.store.build() as builder, self.assertRaises(mlreg.InvalidError) as caught:
            builder.set_image(user="me")
        self.assertIn("kind='image'", str(caught.exception))
        said = {name for source in (ROOT / "lib").rglob("*.c") for text in re.findall(r'"([^"\n]*)"', source.read_text())
                for name in re.findall(r"MLREG_([A-Z]+_[A-Z_]+)", text)}
        self.assertEqual(said - set(mlreg._c.OURS), {"FSCK_REPAIR"} & said)   # that one only a caller of C can get wrong

    def test_error__has_the_number_of_an_os_error(self):
        model = self.built(files={"a": b"1"})
        with self.assertRaises(FileNotFoundError) as caught:
            mlreg.Session(self.dir / "nowhere")
        self.assertEqual((caught.exception.errno, caught.exception.strerror), (errno.ENOENT, caught.exception.message))
        self.built("team/tiny:v2", files={"a": b"2"})
        with self.assertRaises(FileExistsError) as caught:
            self.store.copy(f"team/tiny@{model.digest}", self.store, "team/tiny:v2")
        self.assertEqual(caught.exception.errno, errno.EEXIST)

    def test_package__runs_with_every_warning_an_error_and_without_docstrings(self):
        done = python("""
            import subprocess, sys
            code = '''if True:
                import mlreg, gc, io
                with mlreg.progress(file=io.StringIO()), mlreg.Session("memory:") as place, place.build() as builder:
                    model = builder.add_bytes(b"weights", "a.bin").commit("a/b:v1", progress=lambda stats: None)
                    assert io.BufferedReader(model.open(0)).read() == b"weights"
                    left = place.upload, model.open(0), mlreg.Op()
                try:
                    model.fd(0)
                except mlreg.NotSupportedError:
                    pass
                del left
                gc.collect()
                '''
            for how in ["-X", "dev", "-W", "error"], ["-OO", "-W", "error"]:
                subprocess.run([sys.executable, *how, "-c", code], check=True)
            """)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))


class Shown(Case):
    @has("tqdm")
    def test_progress__a_bar_ends_with_its_call_and_short_calls_have_none(self):
        self.built()
        said = io.StringIO()
        with mlreg.Session("memory:") as memory, mlreg.progress(file=said):
            self.store.tags("team/tiny")
            self.assertEqual(said.getvalue(), "")
            self.store.copy("team/tiny:v1", memory)
            self.assertRegex(said.getvalue(), r"100%.*\n$")

    def test_progress__is_told_in_lines_where_there_is_no_tqdm(self):
        self.built()
        said = io.StringIO()
        with mock.patch.dict(sys.modules, {"tqdm.auto": None}), mlreg.Session("memory:") as memory, mlreg.progress(file=said):
            self.store.copy("team/tiny:v1", memory)
        self.assertRegex(said.getvalue(), r"^1\.0 of 1\.0 MB, \d+\.\d s\n$")


if __name__ == "__main__":
    unittest.main()
