using FastAttn.Runtime;

using Xunit;

namespace FastAttn.Tests;

/// <summary>The size of the core's own cache, as the CPU or the system tells it.</summary>
public static class CoreCacheTests
{
    [Theory]
    [InlineData("512K\n", 512L << 10)]
    [InlineData("2M", 2L << 20)]
    [InlineData("1048576", 1L << 20)]
    [InlineData("", 0L)]
    [InlineData("K", 0L)]
    [InlineData("-1K", 0L)]
    [InlineData("much", 0L)]
    [InlineData("99999999999999K", 0L)]
    public static void A_size_is_read_as_Linux_writes_it(string size, long bytes) => Assert.Equal(bytes, CoreCache.Parse(size));

    [Fact]
    public static void It_is_what_a_core_may_have() => Assert.InRange(CoreCache.Bytes, 64 * 1024, 64 * 1024 * 1024);
}
