using Xunit;

namespace FastAttn.Cli.Tests;

public sealed class BadShapeTests
{
    [Theory]
    [InlineData(new[] { 2, 4, 3 }, new[] { 4, 3 }, new[] { 2, 4, 3 }, "--key", "has 2 axes; expected 3, as --query")]
    [InlineData(new[] { 4, 3 }, new[] { 4, 3 }, new[] { 1, 4, 3 }, "--value", "has 3 axes; expected 2, as --query")]
    [InlineData(new[] { 2, 1, 4, 3 }, new[] { 1, 1, 4, 3 }, new[] { 2, 1, 4, 3 }, "--key", "has batch 1; expected 2, as --query")]
    [InlineData(new[] { 2, 1, 4, 3 }, new[] { 2, 1, 4, 3 }, new[] { 3, 1, 4, 3 }, "--value", "has batch 3; expected 2, as --query")]
    [InlineData(new[] { 2, 4, 3 }, new[] { 2, 4, 3 }, new[] { 1, 4, 3 }, "--value", "has heads 1; expected 2, as --key")]
    [InlineData(new[] { 3, 4, 3 }, new[] { 2, 4, 3 }, new[] { 2, 4, 3 }, "--query", "has heads 3; expected a multiple of the 2 of --key")]
    [InlineData(new[] { 3, 4, 3 }, new[] { 0, 4, 3 }, new[] { 0, 4, 3 }, "--query", "has heads 3; expected a multiple of the 0 of --key")]
    [InlineData(new[] { 4, 3 }, new[] { 5, 3 }, new[] { 6, 3 }, "--value", "has length 6; expected 5, as --key")]
    [InlineData(new[] { 4, 3 }, new[] { 5, 2 }, new[] { 5, 3 }, "--key", "has head dimension 2; expected 3, as --query")]
    [InlineData(new[] { 4, 3 }, new[] { 5, 3 }, new[] { 5, 0 }, "--value", "its last axis is 0; expected 1 to 1024")]
    public void Shapes_that_disagree_are_an_error_that_names_both(int[] query, int[] key, int[] value, string option, string message)
    {
        using var folder = new ArrayFolder();
        folder.WriteInputs(query, key, value);

        folder.Run().ShouldBeBadInput($"fastattn: {option} ", message);
        Assert.Equal(["k.npy", "q.npy", "v.npy"], folder.FileNames);
    }

    [Theory]
    [InlineData(int.MaxValue, 2, 2)]
    [InlineData(int.MaxValue, int.MaxValue, 1)]
    [InlineData(1, int.MaxValue, int.MaxValue)]
    public void Heads_beyond_the_longest_array_are_an_error_though_there_is_no_query(int batch, int heads, int keyHeads)
    {
        using var folder = new ArrayFolder();
        folder.WriteInputs([batch, heads, 0, 4], [batch, keyHeads, 0, 4], [batch, keyHeads, 0, 4]);

        folder.Run("--check").ShouldBeBadInput($"--query {folder.Query}: has {(long)batch * heads} heads in all sequences; 2147483591 are the most");
    }

    [Theory]
    [InlineData(1, 2147483591, 0)]
    [InlineData(65536, 32767, 0)]
    [InlineData(0, int.MaxValue, int.MaxValue)]
    [InlineData(int.MaxValue, 0, int.MaxValue)]
    public void Sizes_beside_a_0_may_be_large(int batch, int heads, int length)
    {
        using var folder = new ArrayFolder();
        folder.WriteInputs([batch, heads, length, 4], [batch, heads, length, 4], [batch, heads, length, 3]);

        folder.Run("--check").ShouldSucceed();

        Assert.Equal([batch, heads, length, 3], ArrayFolder.Read(folder.Output).Shape);
    }

    [Fact]
    public void An_output_beyond_the_longest_array_is_an_error()
    {
        // 2^21 queries of 1 float, values of 1024: 2^31 floats of output from 8 MB of input.
        using var folder = new ArrayFolder();
        ArrayFolder.Write(folder.Query, new([1 << 21, 1], new float[1 << 21]));
        folder.WriteNormal(folder.Key, 1, 1);
        folder.WriteNormal(folder.Value, 1, 1024);

        folder.Run().ShouldBeBadInput($"--output {folder.Output}: would have 2147483648 elements");
    }
}
