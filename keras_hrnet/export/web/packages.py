"""The programs that run a network in a browser, as npm packages in pinned versions: LiteRT.js and ONNX Runtime Web."""

from typing import NamedTuple


class Package(NamedTuple):
    """An npm package in a pinned version.

    Args:
        name: name of the package.
        version: version of the package.
        sha512: SHA-512 of its archive, in base64, as npm states it.
        files: the files that are used, with their names next to the page.
    """

    name: str
    version: str
    sha512: str
    files: dict[str, str]

    @property
    def archive(self) -> str:
        """The name of the file that `npm pack` writes."""
        return f"{self.name.removeprefix('@').replace('/', '-')}-{self.version}.tgz"


class Runtime(NamedTuple):
    """A program that runs a network in a browser.

    Args:
        title: its name.
        packages: the packages that it consists of; the first has its version.
        model: name of the network's file next to the page.
        engine: the script of the page that runs a network with it.
        license: its license, a file next to that script.
        cache: the folder of the archives in the cache.
        loaded: the files that a single browser loads for WebAssembly, and those that it loads for WebGPU.
        replaced: for a script, the text that is replaced, which occurs once, and its replacement.
    """

    title: str
    packages: tuple[Package, ...]
    model: str
    engine: str
    license: str
    cache: str
    loaded: dict[str, tuple[str, ...]]
    replaced: dict[str, tuple[str, str]]

    @property
    def version(self) -> str:
        """The name and the version, for the page."""
        return f"{self.title} {self.packages[0].version}"

    @property
    def command(self) -> str:
        """The command that downloads the archives to the current folder."""
        return f"npm pack {' '.join(f'{package.name}@{package.version}' for package in self.packages)}"


# The variants of LiteRT.js: without threads and relaxed SIMD (compat), one thread, several threads, and WebGPU with
# JSPI.
_LITERT = tuple(f"litert_wasm_{kind}internal" for kind in ("compat_", "", "threaded_", "jspi_"))
LITERT = Runtime(
    title="LiteRT.js",
    packages=(
        Package(
            "@litertjs/core",
            "2.5.3",
            "PlGmbMOq9WitX7FO0jhbdJw9GthatsyuCQXjTt/wJZo0FLaw48q4tz8IwqgqCIkviYGr9OFDL1kCnN4nzWoyJQ==",
            {
                "dist/index.js": "litert.js",
                **{f"wasm/{name}{ending}": f"{name}{ending}" for name in _LITERT for ending in (".js", ".wasm")},
            },
        ),
        Package(
            "@litertjs/wasm-utils",
            "2.5.3",
            "4fJiw6tBQnIs+0jH/OQ16nYOiSl8/+zZnn5h2ul8aTKHi05sVqZW580Tmk78pC2kT39A9OYBVdFawteZ/sI1kQ==",
            {"dist/index.js": "wasm-utils.js"},
        ),
    ),
    model="model.tflite",
    engine="litert.js",
    license="litert.txt",
    cache="litertjs",
    loaded={
        engine: ("litert.js", "wasm-utils.js", f"{name}.js", f"{name}.wasm")
        for engine, name in (("wasm", _LITERT[1]), ("webgpu", _LITERT[3]))
    },
    # A worker has no import map, so it cannot resolve the name of a package.
    replaced={"litert.js": ('from "@litertjs/wasm-utils"', 'from "./wasm-utils.js"')},
)

# The names of the parts for WebAssembly, which need no threads but can use them, and for WebGPU. All names end in .js,
# because many servers do not send .mjs as a script.
_ONNX = {
    "wasm": {
        "ort.wasm.min.mjs": "ort.wasm.js",
        "ort-wasm-simd-threaded.mjs": "ort-wasm.js",
        "ort-wasm-simd-threaded.wasm": "ort-wasm.wasm",
    },
    "webgpu": {
        "ort.jspi.min.mjs": "ort.webgpu.js",
        "ort-wasm-simd-threaded.jspi.mjs": "ort-webgpu.js",
        "ort-wasm-simd-threaded.jspi.wasm": "ort-webgpu.wasm",
    },
}
ONNX_RUNTIME = Runtime(
    title="ONNX Runtime Web",
    packages=(
        Package(
            "onnxruntime-web",
            "1.30.0",
            "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ==",
            {f"dist/{source}": target for files in _ONNX.values() for source, target in files.items()},
        ),
    ),
    model="model.onnx",
    engine="onnx.js",
    license="onnx.txt",
    cache="onnxruntime-web",
    loaded={engine: tuple(files.values()) for engine, files in _ONNX.items()},
    replaced={},
)
RUNTIMES = (LITERT, ONNX_RUNTIME)
