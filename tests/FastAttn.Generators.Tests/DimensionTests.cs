using System.Text;

using FastAttn.Generators.Tests.Harness;

using Xunit;

namespace FastAttn.Generators.Tests;

public sealed class DimensionTests
{
    public static TheoryData<int, int> Dimensions { get; } = new()
    {
        // Below, at and above the rows of a tile and the unrolled steps, the dimensions of models, and the largest.
        { 1, 1 }, { 3, 3 }, { 8, 8 }, { 31, 31 }, { 64, 64 }, { 80, 80 }, { 96, 96 }, { 100, 100 }, { 128, 128 }, { 256, 256 }, { 512, 512 }, { 1024, 1024 },
        { 1, 1024 }, { 1024, 1 }, { 31, 100 }, { 100, 31 }, { 192, 128 },
    };

    [Theory]
    [MemberData(nameof(Dimensions))]
    public void Kernels_of_any_dimensions_compile_and_stay_readable(int head, int value)
    {
        GeneratorRun run = GeneratorRun.Of(Source.Properties($"{head}, ValueDim = {value}", $"{head}, ValueDim = {value}, Mask = AttentionMask.Causal"));

        // Two members, two kernels, and for each of five instruction sets their sizes, tiles of scores and tiles of values.
        Assert.Equal(2 + 2 + 3 * 5, run.Files.Count);
        // A file that grew with the dimension would soon be too much for editors and for the JIT.
        Assert.All(run.Files, static file => Assert.InRange(Encoding.UTF8.GetByteCount(file.Value), 1, 100_000));
        run.AssertCompilesCleanly();
    }

    [Fact]
    public void Kernel_for_dimensions_known_at_run_time_compiles()
    {
        GeneratorRun run = GeneratorRun.Of(Source.AnyDimensionAttribute, Source.Kernels(
            "[AnyDimensionKernel] internal static partial AttentionKernel Full { get; }",
            "[AnyDimensionKernel(Mask = AttentionMask.Causal)] internal static partial AttentionKernel Causal { get; }",
            Source.Property("64", "Full64")));

        Assert.Equal(3 + 3 + 4 * 5, run.Files.Count);
        run.AssertCompilesCleanly();
    }
}
