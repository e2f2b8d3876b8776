"""The demo project: a small cookbook program, written in three steps, for agents to work on."""

import shutil
from pathlib import Path

from apps.core import git
from apps.projects.repositories import creation, inspection

AUTHOR = git.Identity("KanbanAI Demo", "demo@kanbanai.localhost")

README = """\
# Pantry

Pantry reads recipes from JSON files, scales them to the number of people at the table and writes
one shopping list for everything you want to cook.

    python -m pantry list
    python -m pantry shop pancakes:6 soup:2

There is nothing to install: Pantry needs Python 3.9 or newer and no packages.

## Files

| path | what |
|---|---|
| `recipes/*.json` | one recipe each: title, servings, ingredients |
| `pantry/recipes.py` | reading and scaling |
| `pantry/shopping.py` | adding up what to buy |
| `pantry/__main__.py` | the commands |
| `tests/` | `python -m unittest` |

## Ideas

- Amounts with unlike units (g and kg) are listed apart; they should be added up.
- An unknown recipe ends in a traceback instead of a sentence.
- Vegetarian recipes could be marked and filtered.
- A `show` command could print one recipe, scaled.
"""

GITIGNORE = """\
__pycache__/
*.pyc
.venv/
"""

RECIPES = '''\
"""Recipes: read from files, scaled to a number of people."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "recipes"


@dataclass(frozen=True)
class Ingredient:
    name: str
    amount: float
    unit: str = ""


@dataclass(frozen=True)
class Recipe:
    title: str
    servings: int
    ingredients: tuple

    def scaled(self, servings):
        """Give the same recipe for another number of people."""
        factor = servings / self.servings
        return replace(
            self,
            servings=servings,
            ingredients=tuple(
                replace(one, amount=one.amount * factor) for one in self.ingredients
            ),
        )


def names(folder=FOLDER):
    """List the recipes by the name of their file."""
    return sorted(path.stem for path in folder.glob("*.json"))


def read(name, folder=FOLDER):
    """Read one recipe."""
    data = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return Recipe(
        title=data["title"],
        servings=data["servings"],
        ingredients=tuple(Ingredient(**one) for one in data["ingredients"]),
    )
'''

SHOPPING = '''\
"""The shopping list: what several recipes need together."""

from collections import defaultdict


def shopping_list(recipes):
    """Add up ingredients by name and unit, in alphabetical order."""
    total = defaultdict(float)
    for recipe in recipes:
        for one in recipe.ingredients:
            total[one.name, one.unit] += one.amount
    return [(name, amount, unit) for (name, unit), amount in sorted(total.items())]


def line(name, amount, unit):
    """Write one line of the list, without needless decimals."""
    return f"{amount:g} {unit} {name}".replace("  ", " ")
'''

MAIN = '''\
"""The commands of Pantry."""

import sys

from pantry import recipes, shopping


def main(arguments):
    if arguments[:1] == ["list"]:
        for name in recipes.names():
            print(name)
        return 0
    if arguments[:1] == ["shop"] and len(arguments) > 1:
        wanted = []
        for argument in arguments[1:]:
            name, _, servings = argument.partition(":")
            recipe = recipes.read(name)
            wanted.append(recipe.scaled(int(servings)) if servings else recipe)
        for entry in shopping.shopping_list(wanted):
            print(shopping.line(*entry))
        return 0
    print("usage: python -m pantry list | shop RECIPE[:SERVINGS] ...", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
'''

PANCAKES = """\
{
  "title": "Pancakes",
  "servings": 4,
  "ingredients": [
    {"name": "flour", "amount": 250, "unit": "g"},
    {"name": "milk", "amount": 500, "unit": "ml"},
    {"name": "egg", "amount": 3},
    {"name": "butter", "amount": 30, "unit": "g"}
  ]
}
"""

SOUP = """\
{
  "title": "Leek and potato soup",
  "servings": 4,
  "ingredients": [
    {"name": "leek", "amount": 2},
    {"name": "potato", "amount": 0.6, "unit": "kg"},
    {"name": "butter", "amount": 20, "unit": "g"},
    {"name": "vegetable stock", "amount": 1, "unit": "l"}
  ]
}
"""

TESTS = """\
import unittest

from pantry import recipes, shopping


class Scaling(unittest.TestCase):
    def test_amounts_follow_the_number_of_people(self):
        flour = recipes.read("pancakes").scaled(8).ingredients[0]
        self.assertEqual((flour.name, flour.amount, flour.unit), ("flour", 500, "g"))


class Shopping(unittest.TestCase):
    def test_the_same_ingredient_is_added_up(self):
        both = [recipes.read("pancakes"), recipes.read("soup")]
        self.assertIn(("butter", 50, "g"), shopping.shopping_list(both))

    def test_a_line_has_no_needless_decimals(self):
        self.assertEqual(shopping.line("egg", 3.0, ""), "3 egg")
        self.assertEqual(shopping.line("potato", 0.6, "kg"), "0.6 kg potato")


if __name__ == "__main__":
    unittest.main()
"""

STEPS: tuple[tuple[str, str, dict[str, str]], ...] = (
    (
        "Read and scale recipes",
        "2025-03-03T09:00:00+00:00",
        {
            ".gitignore": GITIGNORE,
            "README.md": README.partition("\n## Ideas")[0],
            "pantry/__init__.py": "",
            "pantry/recipes.py": RECIPES,
            "recipes/pancakes.json": PANCAKES,
        },
    ),
    (
        "Write a shopping list for several recipes",
        "2025-03-04T15:30:00+00:00",
        {
            "pantry/__main__.py": MAIN,
            "pantry/shopping.py": SHOPPING,
            "recipes/soup.json": SOUP,
        },
    ),
    (
        "Test scaling and adding up, note ideas",
        "2025-03-06T11:15:00+00:00",
        {
            "README.md": README,
            "tests/__init__.py": "",
            "tests/test_pantry.py": TESTS,
        },
    ),
)


def create_demo(path: Path) -> inspection.Inspection:
    """Make the demo project's repository, three commits on ``main``, at a missing or empty path."""
    if path.is_symlink() or (path.exists() and (not path.is_dir() or any(path.iterdir()))):
        raise git.PathOccupied(f"There is already something at {path}.")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise git.Unwritable(f"The directory {path} cannot be made: {error.strerror}.") from error
    try:
        creation.begin(path)
        for message, when, contents in STEPS:
            for name, content in contents.items():
                (path / name).parent.mkdir(parents=True, exist_ok=True)
                (path / name).write_text(content, encoding="utf-8")
            creation.commit(path, message, author=AUTHOR, when=when)
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        raise
    return inspection.inspect(path)
