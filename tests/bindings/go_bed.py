"""go_bed.py - the Go binding under test: a go command, and the library installed where that finds it."""
import hashlib
import os
import shutil

from bed.house import BUILD, HEADER, ROOT, run

BINDING = ROOT / "bindings" / "go"
GO_S = 1200      # of a build of Go's own packages on a machine that has other work


def find_go():
    """The go command; None in a quick run (tests/all --quick: no registries) on a machine without one."""
    if "MLREG_TEST_REGISTRY" in os.environ:
        return run(ROOT / "tests/bed/go").stdout.strip()
    return run(ROOT / "tests/bed/go", "--here", check=False).stdout.strip() or None


def environment():
    """Go's cache does not look at what pkg-config says, nor at headers, but at CGO_CFLAGS: those tell it of both. The
    library is installed where the last run had it, so that what is as it was is not built again. All is built for the race
    detector, and with Go's own resolver and user database: nothing is built twice."""
    root = BUILD / "installed-for-go"
    shutil.rmtree(root, ignore_errors=True)
    run("meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", root)
    pc, library = next(root.rglob("mlreg.pc")), next(root.rglob("libmlreg.so.0"))
    stamp = hashlib.sha256(f"{root} {pc.read_text()} {HEADER.read_text()}".encode()).hexdigest()[:16]
    return dict(os.environ, PKG_CONFIG_PATH=str(pc.parent), PKG_CONFIG_SYSROOT_DIR=str(root), CGO_ENABLED="1",
                CGO_CFLAGS=f"-O1 -DMLREG_GO_TEST_{stamp}", LD_LIBRARY_PATH=str(library.parent), GOTOOLCHAIN="local",
                GOPROXY="off", GOFLAGS="-race -tags=netgo,osusergo -buildvcs=false")
