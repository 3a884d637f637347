"""The load client, built where it is used."""

import pathlib
import subprocess

HERE = pathlib.Path(__file__).resolve().parent


def build(folder):
    load = folder / "load"
    sources = sorted((HERE / "load").glob("*.c"))
    subprocess.run(["cc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-o", load, *sources, "-lssl", "-lcrypto", "-lnghttp2"], check=True)
    return load
