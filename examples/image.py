"""image.py - a folder and a requirements file become an image for two architectures: image.py FOLDER REQUIREMENTS PLACE REPO:TAG"""
import sys

import mlreg

folder, requirements, where, ref = sys.argv[1:]
repository = ref.rpartition(":")[0]
with mlreg.Session(where, create=True) as place, place.build(kind="index") as index:
    for platform in "linux/amd64", "linux/arm64":
        with place.build(kind="image") as image:
            image.set_image(platform=platform, workdir="/app", entrypoint=["python3", "serve.py"])
            index.add_child(image.add_tree(folder, title="app").add_pip(requirements).commit(repository), "cpu", platform=platform)
    print(index.commit(ref, move=True).digest)
