# SPDX-License-Identifier: BSD-3-Clause
"""A server that exists only as files: EFI variables in a folder and the environment of the stub
runtime (sgx_urts_stub.c). For the integration tests and the demonstration. Standard library only.

    platform = {...}                                  # as pcs-sim --print-fleet tells it
    efivars = FakeEfivars(folder).offer(platform["platform_manifest"])
    environment = stub_environment(platform)
    [tool, *stub_arguments(build, efivars.folder), "-f", "x.csv"]
"""
import pathlib
import struct

REQUEST = "SgxRegistrationServerRequest-304e0796-d515-4698-ac6e-e76cb1a71c28"
STATUS = "SgxRegistrationStatus-f236c5dc-a491-4bbe-bcdd-88885770df45"
CONFIGURATION = "SgxRegistrationConfiguration-18b3bc81-e210-42b9-9ec8-2c5a7d4d89b6"
EPCBIOS = "EPCBIOS-c60aa7f6-e8d6-4956-8ba1-fe26298f5e87"
EPCSW = "EPCSW-d69a279b-58eb-45d1-a148-771bb9eb5251"

MANIFEST_GUID = bytes.fromhex("178E874B49E44AA599BB3057170925B4")
ADD_REQUEST_GUID = bytes.fromhex("696519CA73C14785A0F64D289D37E995")

READ_ONLY = 6  # attributes without the non-volatile bit
WRITABLE = 7


class FakeEfivars:
    """A folder that stands in for /sys/firmware/efi/efivars."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def write(self, name, data, attributes=WRITABLE):
        (self.folder / name).write_bytes(struct.pack("<I", attributes) + data)
        return self

    def configure(self, flags=0):
        return self.write(CONFIGURATION, struct.pack("<HHH", 1, 1518, flags) + bytes(1516),
                          READ_ONLY)

    def request(self, payload, version=1, size=None):
        size = len(payload) if size is None else size
        head = struct.pack("<HI" if version == 3 else "<HH", version, size)
        return self.write(REQUEST, head + payload, READ_ONLY)

    def status(self, bits=0, error=0, attributes=WRITABLE):
        return self.write(STATUS, struct.pack("<HHHB", 1, 3, bits, error), attributes)

    def offer(self, manifest_hex, version=1):
        """As after a factory reset: configured, a manifest waiting, the completion bit clear."""
        self.configure().status()
        return self.request(bytes.fromhex(manifest_hex), version) if manifest_hex else self

    def bits(self):
        """(status bits, error) as they are now."""
        return struct.unpack("<HB", (self.folder / STATUS).read_bytes()[8:])

    def reboot(self):
        """What the firmware does at the next boot: a manifest that was taken is gone."""
        if (self.folder / STATUS).exists() and self.bits()[0] & 1:
            (self.folder / REQUEST).unlink(missing_ok=True)
        return self


def small_manifest(size=300):
    """A manifest of the right form that no PCS knows, as hex."""
    return (MANIFEST_GUID + bytes(i & 255 for i in range(size - 16))).hex()


def stub_environment(platform=None):
    """What makes the stub runtime answer as this platform; its own default without one."""
    names = {"SGX_STUB_QE_ID": "qe_id", "SGX_STUB_PPID": "enc_ppid", "SGX_STUB_CPU_SVN": "cpu_svn",
             "SGX_STUB_PCE_SVN": "pce_svn", "SGX_STUB_PCE_ID": "pce_id"}
    return {variable: platform[name] for variable, name in names.items()} if platform else {}


def stub_runtime(build):
    return pathlib.Path(build) / "tests" / "sgx_stub" / "libsgx_urts.so.2"


def stub_arguments(build, efivars):
    """The options of PCKIDRetrievalTool that put it on this platform."""
    return ["--sgx-runtime", str(stub_runtime(build)), "--efivars", str(efivars)]
