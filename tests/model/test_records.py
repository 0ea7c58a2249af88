"""Records are what attrs makes of the same class."""

from __future__ import annotations

import copy
import gc
import linecache
import pickle
from abc import ABC, abstractmethod
from threading import Barrier, Thread
from typing import Any, ClassVar, Generic, TypeVar

import attrs
import pytest

from chatnode.model.records import record


def made_both_ways(frozen: bool) -> list[Any]:
    """The same class, with one derived from it, by attrs and as records."""
    return [_classes(attrs.frozen if frozen else attrs.define, frozen), _classes(record, frozen)]


def _classes(decorate: Any, frozen: bool) -> tuple[Any, Any]:
    options: dict[str, Any] = {"frozen": True} if decorate is record and frozen else {}

    @decorate(**options)
    class Base:
        name: str
        count: int = 0
        hidden: str = attrs.field(default="", repr=False)
        note: str = attrs.field(default="", eq=False)
        _own: list[Any] | None = None

    @decorate(kw_only=True, **options)
    class Derived(Base):
        more: str

    return Base, Derived


@pytest.mark.parametrize("frozen", [False, True])
def test_fields_arguments_and_repr_are_the_same(frozen: bool) -> None:
    (one, derived), (other, also_derived) = made_both_ways(frozen)
    for kind, same in ((one, other), (derived, also_derived)):
        assert [each.name for each in attrs.fields(kind)] == [each.name for each in attrs.fields(same)]
        assert kind.__match_args__ == same.__match_args__
        assert kind.__slots__ == same.__slots__
        assert kind.__init__.__code__.co_varnames == same.__init__.__code__.co_varnames
    assert (
        repr(one("a", 1, "h", "n")) == repr(other("a", 1, "h", "n")) == "Base(name='a', count=1, note='n', _own=None)"
    )
    assert repr(derived("a", more="m")) == repr(also_derived("a", more="m"))


def test_what_contains_itself_is_shown_without_end() -> None:
    shown: list[str] = []
    for base, _ in made_both_ways(frozen=False):
        each = base("a")
        each._own = [each]
        shown.append(repr(each))
    assert shown[0] == shown[1]


@pytest.mark.parametrize("frozen", [False, True])
def test_what_is_equal_is_the_same(frozen: bool) -> None:
    for base, derived in made_both_ways(frozen):
        assert base("a", 1) == base("a", 1)
        assert base("a", note="one") == base("a", note="other")
        assert base("a", hidden="one") != base("a", hidden="other")
        assert base("a") != base("b")
        assert base("a") != derived("a", more="")
        assert derived("a", more="m") == derived("a", more="m") != derived("a", more="n")
        assert base("a") != "a"
        assert base("a").__eq__("a") is NotImplemented


def test_a_frozen_one_has_a_hash_and_does_not_change() -> None:
    for base, derived in made_both_ways(frozen=True):
        assert {base("a", note="one"), base("a", note="other"), base("b")} == {base("a"), base("b")}
        assert hash(base("a")) != hash(derived("a", more=""))
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            base("a").name = "b"


def test_one_that_changes_has_no_hash() -> None:
    for base, _ in made_both_ways(frozen=False):
        with pytest.raises(TypeError, match="unhashable"):
            hash(base("a"))
        each = base("a")
        each.name = "b"
        assert each == base("b")
        with pytest.raises(AttributeError):
            each.other = 1


# ---- attrs writes a record when it is needed


def is_written(kind: type[object]) -> bool:
    """Whether attrs has written the class, of which it keeps the source for debuggers."""
    return any(f"{kind.__module__}.{kind.__qualname__}>" in name for name in linecache.cache)


def test_attrs_writes_a_record_when_it_is_needed() -> None:
    @record
    class Made:
        name: str

    @record
    class Asked(Made):
        more: int = 0

    @record
    class Derived(Asked):
        last: int = 0

    assert not any(is_written(each) for each in (Made, Asked, Derived))
    assert [each.name for each in attrs.fields(Asked)] == ["name", "more"]
    assert [is_written(each) for each in (Made, Asked, Derived)] == [True, True, False]
    assert Derived("a", last=1).last == 1
    assert is_written(Derived)


def test_a_class_derived_from_a_record_needs_no_decorator() -> None:
    @record
    class Base:
        name: str

    class Derived(Base):
        def shout(self) -> str:
            return self.name.upper()

    assert Derived("a").shout() == "A"


def test_a_record_may_have_methods_and_checks_of_its_own() -> None:
    @record
    class Base:
        name: str

        def words(self) -> list[str]:
            return [self.name]

        @property
        def title(self) -> str:
            return self.name

    @record
    class Checked(Base):
        limit: ClassVar[int] = 3
        size: int = attrs.field(default=0, converter=int, validator=attrs.validators.le(3))
        doubled: int = attrs.field(init=False, default=attrs.Factory(lambda self: self.size * 2, takes_self=True))
        after: bool = False

        def __attrs_post_init__(self) -> None:
            self.after = True

        def words(self) -> list[str]:
            return [*super().words(), "more"]

        @property
        def title(self) -> str:
            return super().title + "!"

        @classmethod
        def made(cls) -> Checked:
            return cls("a", "2")  # type: ignore[arg-type]

    made = Checked.made()
    assert (made.size, made.doubled, made.after, made.words(), made.title) == (2, 4, True, ["a", "more"], "a!")
    with pytest.raises(ValueError, match="must be <= 3"):
        made.size = 4
    assert attrs.evolve(made, size=3).doubled == 6
    assert attrs.asdict(made) == {"name": "a", "size": 2, "doubled": 4, "after": True}


def test_a_record_may_have_arguments_of_its_own() -> None:
    @record
    class Own:
        name: str

        def __init__(self, words: list[str]) -> None:
            self.name = " ".join(words)

    assert Own(["a", "b"]).name == "a b"
    assert attrs.asdict(Own(["a", "b"])) == {"name": "a b"}


def test_a_record_may_be_generic_and_abstract() -> None:
    kind = TypeVar("kind")

    @record(frozen=True)
    class Shape(ABC, Generic[kind]):
        size: kind

        @abstractmethod
        def area(self) -> kind: ...

    @record(frozen=True)
    class Square(Shape[int]):
        def area(self) -> int:
            return self.size * self.size

    assert Square(3).area() == 9
    with pytest.raises(TypeError, match="abstract"):
        Shape(3)  # pyright: ignore[reportAbstractUsage]


def test_a_record_of_a_class_with_a_dict_keeps_it() -> None:
    class Plain:
        pass

    @record
    class Made(Plain):
        name: str

    made = Made("a")
    made.other = 1  # pyright: ignore[reportAttributeAccessIssue]
    assert vars(made) == {"other": 1}


def test_threads_may_need_a_record_at_the_same_time() -> None:
    for frozen in (False, True):

        @record(frozen=frozen)
        class Shared:
            name: str

        start, made = Barrier(8), list[object]()

        def make(kind: Any = Shared, start: Barrier = start, made: list[object] = made) -> None:
            start.wait()
            made.append(kind("a"))

        threads = [Thread(target=make) for _ in range(8)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert made == [Shared("a")] * 8


@record(frozen=True)
class Pickled:
    name: str


def test_a_record_is_copied_and_pickled() -> None:
    # As another process pickles one, so that the class is not written here.
    state = {"name": "a"}
    restored: Any = Pickled.__new__(Pickled)
    restored.__setstate__(state)
    assert restored == Pickled("a") == copy.copy(restored) == pickle.loads(pickle.dumps(restored))


def test_only_the_record_stays() -> None:
    class Base:
        pass

    @record
    class Made(Base):
        name: str

    Made("a")
    gc.collect()
    assert Base.__subclasses__() == [Made]
