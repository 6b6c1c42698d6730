"""A file that a recipe made says by what and from what: enough to make it again, to the byte."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.data import Data, Split, load_data
from nncomp.files import FileError, Lineage, load, read_lineage, save
from nncomp.files.container import pack, unpack_file
from nncomp.fingerprint import fingerprint
from nncomp.network import MLP
from nncomp.steps import FineTune, Guard, Recipe, RecipeError
from tests.test_cli import inside

SOME = Lineage("steps = []", 0, 3, "digits", "ab12", "cd34", {"test accuracy": 0.5})
TEXT = """
[network]
sizes = [64, 8, 10]
[train]
epochs = 2
[[steps]]
step = "Prune"
sparsity = 0.5
[[steps]]
step = "Quantize"
"""
ALONE = 'steps = [{ step = "Prune", sparsity = 0.5 }]'


def command(*words: object) -> str:
    result = inside(*words)
    assert result.exit_code == 0, result.stderr
    return str(result.stdout)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    (folder / "r.toml").write_text(TEXT)
    command("compress", folder / "r.toml", "--out", folder / "out", "--seed", 5)
    return folder / "out"


def test_a_lineage_comes_back_and_changes_nothing_else(tmp_path: Path) -> None:
    network = MLP.init([3, 2])
    save(tmp_path / "a.safetensors", network, SOME)
    assert read_lineage(tmp_path / "a.safetensors") == SOME
    assert load(tmp_path / "a.safetensors").fingerprint() == network.fingerprint()
    save(tmp_path / "b.safetensors", network)
    assert read_lineage(tmp_path / "b.safetensors") is None


def test_the_command_tells_what_it_did(made: Path) -> None:
    lineage, data = read_lineage(made / "network.safetensors"), load_data("digits")
    row = json.loads((made / "report.json").read_text())["rows"][-1]
    measured = {"test accuracy": row["accuracy"], "agreement": row["agreement"]}
    assert lineage == Lineage(TEXT, 2, 5, "digits", fingerprint(data), None, measured)


def test_followed_once_more_it_makes_the_same_file(made: Path, tmp_path: Path) -> None:
    file = made / "network.safetensors"
    command("compress", file, "--out", tmp_path / "again")
    assert (tmp_path / "again" / "network.safetensors").read_bytes() == file.read_bytes()
    data = load_data("digits")
    assert Recipe.load(file)(data).fingerprint() == load(file).fingerprint()
    assert Recipe.load(file, seed=1)(data).fingerprint() != load(file).fingerprint()


def test_followed_on_new_data_it_is_another_network(made: Path) -> None:
    data = load_data("digits")
    turned = Data(Split(data.train.x[:, ::-1].copy(), data.train.y), data.validation, name="turned")
    recipe = Recipe.load(made / "network.safetensors")
    network = recipe(turned)
    assert network.fingerprint() != load(made / "network.safetensors").fingerprint()
    told = recipe.lineage(turned, {})
    assert told is not None and (told.data, told.samples) == ("turned", fingerprint(turned))


def test_a_training_without_steps_is_followed_without_them(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text(TEXT)
    command("train", tmp_path / "r.toml", "--out", tmp_path / "out")
    recipe = Recipe.load(tmp_path / "out" / "network.safetensors")
    assert recipe.steps == () and isinstance(recipe.train, FineTune)


def test_it_is_followed_on_data_of_the_same_name() -> None:
    lineage = Lineage("steps = []", 0, 0, "mnist", "")
    assert Recipe.read("steps = []")._as_followed(lineage).data == "mnist"
    assert Recipe.read("steps = []")._as_followed(replace(lineage, data="mine")).data == "digits"


def test_a_given_network_is_the_parent_and_asked_for_again(tmp_path: Path) -> None:
    given_network = MLP.init([64, 10])
    save(tmp_path / "given.safetensors", given_network)
    (tmp_path / "r.toml").write_text(TEXT)
    command("compress", tmp_path / "r.toml", "--network", tmp_path / "given.safetensors", "--out", tmp_path / "out")
    file = tmp_path / "out" / "network.safetensors"
    lineage = read_lineage(file)
    assert lineage is not None and lineage.parent == given_network.fingerprint()
    recipe = Recipe.load(file)
    assert recipe.network is None and recipe.train is None and len(recipe.steps) == 2
    with pytest.raises(RecipeError, match="need a network to start from"):
        recipe(load_data("digits"))
    assert recipe(load_data("digits"), given_network).fingerprint() == load(file).fingerprint()
    refused = inside("compress", file, "--out", tmp_path / "again")
    assert refused.exit_code == 2 and "--network FILE" in refused.stderr


def test_a_given_network_is_not_trained_first() -> None:
    recipe, given_network = Recipe.read(TEXT), MLP.init([64, 10])
    alone = Recipe.read('steps = [{ step = "Prune", sparsity = 0.5 }, { step = "Quantize" }]')
    data = load_data("digits")
    assert recipe(data, given_network).fingerprint() == alone(data, given_network).fingerprint()


def test_what_was_not_read_from_toml_has_no_lineage() -> None:
    assert Recipe(MLP.init([64, 10]), FineTune(1), ()).lineage(load_data("digits"), {}) is None


def test_what_is_other_than_was_read_has_no_lineage() -> None:
    data, metrics = load_data("digits"), {"accuracy": 0.5}
    read = Recipe.read('steps = [{ step = "Prune", sparsity = 0.5 }, { step = "Quantize" }]')
    given = replace(read, network=MLP.init([64, 10]))
    assert given.lineage(data, metrics) and replace(given, steps=read.steps[:1]).lineage(data, metrics)
    for change in ({"steps": read.steps[1:]}, {"guard": Guard()}, {"train": FineTune()}):
        assert replace(given, **change).lineage(data, metrics) is None


@pytest.mark.parametrize(
    "wrong",
    [{"metrics": {"a": math.nan}}, {"metrics": {"a": np.float32(1)}}, {"steps": -1}, {"seed": -3}, {"data": None}],
)
def test_what_could_not_be_read_again_is_no_lineage(wrong: dict[str, Any]) -> None:
    well = {"recipe": "steps = []", "steps": 0, "seed": 0, "data": "digits", "samples": "ab"}
    with pytest.raises(ValueError, match="a lineage is words, counts and finite metrics"):
        Lineage(**(well | wrong))


def test_inspect_tells_it(made: Path, tmp_path: Path) -> None:
    told = command("inspect", made / "network.safetensors")
    assert "made by 2 steps of this recipe, seed 5, from a network that it trained\non digits (" in told
    assert "  sizes = [64, 8, 10]\n" in told
    assert json.loads(command("inspect", made / "network.safetensors", "--json"))["lineage"]["seed"] == 5
    save(tmp_path / "plain.safetensors", MLP.init([2, 1]))
    assert "recipe" not in command("inspect", tmp_path / "plain.safetensors")
    assert json.loads(command("inspect", tmp_path / "plain.safetensors", "--json"))["lineage"] is None


def test_a_file_without_a_recipe_is_none(tmp_path: Path) -> None:
    save(tmp_path / "plain.safetensors", MLP.init([2, 1]))
    with pytest.raises(RecipeError, match="does not say by what recipe"):
        Recipe.load(tmp_path / "plain.safetensors")
    save(tmp_path / "odd.safetensors", MLP.init([2, 1]), Lineage("steps = 5", 0, 0, "digits", ""))
    with pytest.raises(RecipeError, match=r"odd.safetensors: needs \[\[steps\]\]"):
        Recipe.load(tmp_path / "odd.safetensors")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
WELL = {
    "recipe": st.text(max_size=5), "steps": st.integers(0), "seed": st.integers(0), "data": st.text(max_size=5),
    "samples": st.text(max_size=5), "parent": st.none() | st.text(max_size=5),
    "metrics": st.dictionaries(st.text(max_size=5), st.floats(allow_nan=False, allow_infinity=False), max_size=3),
}  # fmt: skip


@given(st.fixed_dictionaries(WELL), st.sampled_from(sorted(WELL)), JSON)
def test_what_is_no_lineage_is_told(told: dict[str, Any], name: str, value: Any) -> None:
    assert Lineage.read(told).told() == told
    other = told | {name: value}
    try:
        read = Lineage.read(other)
    except ValueError as error:
        assert "a lineage" in str(error)
    else:
        assert json.dumps(read.told(), sort_keys=True) == json.dumps(other, sort_keys=True) and str(read)
    with pytest.raises(ValueError, match="a lineage has"):
        Lineage.read({key: told[key] for key in told if key != name})


def test_a_file_with_a_damaged_lineage_is_told_and_its_network_loads(tmp_path: Path) -> None:
    file = tmp_path / "a.safetensors"
    save(file, MLP.init([2, 1]))
    metadata, arrays = unpack_file(file)
    header = json.loads(metadata["nncomp"]) | {"lineage": [1]}
    file.write_bytes(pack(arrays, {"nncomp": json.dumps(header)}))
    assert load(file).sizes == [2, 1]
    with pytest.raises(FileError, match="a lineage has"):
        read_lineage(file)
