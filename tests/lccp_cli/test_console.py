from lccp_cli.console import standard_output


def test_output_that_is_no_terminal_has_no_escape_sequences() -> None:
    console = standard_output()
    assert console.is_terminal is False
    assert console.color_system is None
