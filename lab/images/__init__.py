"""The lab's container images: assembled from the toolchain's binaries and Debian packages, never pulled."""

from lab.images import cli as cli
from lab.images.builder import build as build
from lab.images.builder import full_name as full_name
from lab.images.builder import needed_tools as needed_tools
from lab.images.oci import Blob as Blob
from lab.images.oci import BuiltImage as BuiltImage
from lab.images.oci import export as export
from lab.images.table import RECIPES as RECIPES
