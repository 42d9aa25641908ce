from lab.images.table import RECIPES, USERS
from lab.toolchain.model import GoTool, ModuleFiles
from lab.toolchain.table import BY_NAME


def test_images_users_and_tags_are_those_the_manifests_rely_on():
    assert {name: (recipe.repository, recipe.tag, recipe.user) for name, recipe in RECIPES.items()} == {
        "pause": ("pause", "3", 65534),
        "coredns": ("coredns", "1.14.1", 65532),
        "temporal_server": ("temporal-server", "1.32.1", 1000),
        "temporal_admin_tools": ("temporal-admin-tools", "1.32.1", 1000),
        "temporal_ui": ("temporal-ui", "2.55.0", 5000),
        "haproxy": ("haproxy", "3.0", 99),
        "postgresql": ("postgresql", "17.12", 26),
        "pgbouncer": ("pgbouncer", "1.24.1", 998),
        "cloudnative_pg": ("cloudnative-pg", "1.28.1", 10001),
        "worker": ("routerfleet-worker", "", 10001),
        "zone_watcher": ("routerfleet-zone-watcher", "", 10001),
    }


def test_no_image_runs_as_root():
    assert [name for name, recipe in RECIPES.items() if recipe.user == 0] == []


def test_every_user_of_an_image_on_the_base_has_a_name_there():
    named = {user.number for user in USERS} | {
        user.number for recipe in RECIPES.values() if recipe.debian for user in recipe.debian.users
    }

    assert {recipe.user for recipe in RECIPES.values() if recipe.is_on_base} - named == set()


def test_image_content_is_always_built_and_never_taken_from_path():
    for recipe in RECIPES.values():
        for tool in map(BY_NAME.__getitem__, recipe.tools.values()):
            assert isinstance(tool, ModuleFiles) or (isinstance(tool, GoTool) and tool.version_command == ())


def test_postgresql_programs_are_on_path_as_the_operator_wants():
    assert RECIPES["postgresql"].variables["PATH"].split(":")[0] == "/usr/lib/postgresql/17/bin"
