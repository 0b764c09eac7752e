using Xunit;

using FastAttn.Embeddings.Files;

namespace FastAttn.Cli.Tests;

public sealed class PrintableTests
{
    [Theory]
    [InlineData("q_proj.weight", "q_proj.weight")]
    [InlineData("poids/été 重み 🦙", "poids/été 重み 🦙")]
    [InlineData("a\nb\r\0\u001b[31m\u007f\u009b", "a\\u000ab\\u000d\\u0000\\u001b[31m\\u007f\\u009b")]
    [InlineData("line\u2028paragraph\u2029", "line\\u2028paragraph\\u2029")]
    [InlineData("right to left \u202e\u200b", "right to left \\u202e\\u200b")]
    [InlineData("tag \U000e0041", "tag \\udb40\\udc41")]
    public void What_steers_a_terminal_is_written_as_its_number(string text, string expected) => Assert.Equal(expected, Printable.Of(text));

    // Not theory data, which a test runner would not carry whole.
    [Fact]
    public void Half_a_surrogate_pair_is_written_as_its_number()
    {
        Assert.Equal("\\ud800x", Printable.Of("\ud800x"));
        Assert.Equal("x\\udc00", Printable.Of("x\udc00"));
    }

    [Fact]
    public void The_middle_of_a_long_text_is_left_out()
    {
        Assert.Equal("abcdefghi", Printable.Of("abcdefghi", maxLength: 9));
        Assert.Equal("abcd…ghij", Printable.Of("abcdefghij", maxLength: 9));
        Assert.Equal(255, Printable.Of(new string('x', 1 << 20)).Length);
    }

    [Fact]
    public void A_printable_text_stays_as_it_is()
    {
        string once = Printable.Of(new string('x', 1000) + "\u0001");
        Assert.Equal(once, Printable.Of(once, once.Length));
    }
}
