from amesh.lazy import resolve
from amesh.weights.packages import NETWORKS, PACKAGES


def test_every_network_belongs_to_a_package_and_is_of_use():
    assert {network.package for network in NETWORKS.values()} == set(PACKAGES)
    for name, network in NETWORKS.items():
        assert network.keep or network.convert, name
        assert bool(network.convert) == bool(network.weights_sha256), name
        if network.convert:
            assert callable(resolve(network.convert))


def test_files_are_told_apart_by_their_hashes():
    assert len({network.sha256 for network in NETWORKS.values()}) == len(NETWORKS)


def test_reading_the_table_imports_nothing_heavy(run_python):
    run_python("""
import sys
import amesh.weights.packages
assert "torch" not in sys.modules
""")
