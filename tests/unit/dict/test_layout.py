import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.dict.key import escape_component
from workers.dict.layout import LAYOUTS, DovecotLayout, TaggedLayout
from workers.dict.slot import slot_of

PRINTABLE = st.binary(min_size=1, max_size=12).filter(lambda text: b"\0" not in text)
#: Few letters, so that collisions are found if there are any.
NAMES = st.text(alphabet="ab/\\-{})s", min_size=1, max_size=5).map(str.encode)
KEYS = st.tuples(st.sampled_from([b"shared/", b"priv/"]), st.text(alphabet="ab/\\-{}u", max_size=5).map(str.encode))


@pytest.mark.parametrize(
    ("key", "user", "name"),
    [
        (b"shared/x", b"", b"PREx"),
        (b"shared/", b"", b"PRE"),
        (b"shared/a/b", b"u", b"PREa/b"),
        (b"priv/x", b"u", b"PREu/x"),
        (b"priv/", b"u", b"PREu/"),
        # Reference 5.5: a name is escaped only if it holds a slash.
        (b"priv/x", b"a/b\\c", b"PREa\\-b\\\\c/x"),
        (b"priv/x", b"a\\c", b"PREa\\c/x"),
        (b"priv/a\\|b", b"u", b"PREu/a\\|b"),
    ],
)
def test_dovecot_layout_is_the_one_of_its_redis_driver(key, user, name):
    assert name == DovecotLayout(b"PRE").name_of(key, user)


@pytest.mark.parametrize(
    ("first", "second"),
    [((b"shared/u/x", b""), (b"priv/x", b"u")), ((b"priv/x", b"a/b"), (b"priv/x", b"a\\-b"))],
    ids=["shared and private", "two users"],
)
def test_collisions_of_dovecot_are_none_in_the_tagged_layout(first, second):
    dovecot, tagged = DovecotLayout(b"P"), TaggedLayout(b"P")
    assert dovecot.name_of(*first) == dovecot.name_of(*second)
    assert tagged.name_of(*first) != tagged.name_of(*second)


@given(first=KEYS, first_user=NAMES, second=KEYS, second_user=NAMES)
def test_tagged_layout_never_gives_two_keys_one_name(first, first_user, second, second_user):
    layout = TaggedLayout(b"P")
    keys = [
        (b"".join(key), user if key[0] == b"priv/" else b"")
        for key, user in ((first, first_user), (second, second_user))
    ]
    assert (keys[0] == keys[1]) == (layout.name_of(*keys[0]) == layout.name_of(*keys[1]))


@given(user=NAMES, keys=st.lists(PRINTABLE, min_size=2, max_size=2))
def test_private_keys_of_one_user_share_a_slot_in_the_tagged_layout(user, keys):
    layout = TaggedLayout(b"P")
    assert 1 == len({slot_of(layout.name_of(b"priv/" + key, user)) for key in keys})


@pytest.mark.parametrize("layout", LAYOUTS)
@given(kind=st.sampled_from([b"shared/", b"priv/"]), path=PRINTABLE, rest=PRINTABLE, user=NAMES)
def test_keys_below_a_path_lie_below_its_name(layout, kind, path, rest, user):
    layout = LAYOUTS[layout](b"P")
    assert layout.name_of(kind + path, user) + rest == layout.name_of(kind + path + rest, user)


@pytest.mark.parametrize(
    ("text", "escaped"), [(b"a/b", b"a\\|b"), (b"a\\b", b"a\\\\b"), (b"\\/", b"\\\\\\|"), (b"", b"")]
)
def test_component_is_escaped_as_the_reference_says(text, escaped):
    assert escaped == escape_component(text)
