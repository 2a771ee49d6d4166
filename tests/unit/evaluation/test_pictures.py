from amesh.evaluation.pictures import Picture, captions, contents, png_name, section


def test_file_names_have_no_spaces_or_slashes() -> None:
    assert png_name("map", "a b/c's") == "map-a_b_c_s.png"


def test_pictures_are_files_shown_in_the_report() -> None:
    pictures = {"a.png": Picture("what it shows", b"png")}
    assert section(pictures) == "![what it shows](a.png)"
    assert contents(pictures) == {"a.png": b"png"}
    assert captions(pictures) == {"a.png": "what it shows"}
