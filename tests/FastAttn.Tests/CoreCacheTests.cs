using System.IO;
using System.Linq;

using FastAttn.Runtime;

using Xunit;

namespace FastAttn.Tests;

/// <summary>The size of the core's own cache, as the system tells it.</summary>
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

    [Fact]
    public static void It_is_the_second_level()
    {
        const string Size = "/sys/devices/system/cpu/cpu0/cache/index2/size", Level = "/sys/devices/system/cpu/cpu0/cache/index2/level";
        Assert.SkipUnless(File.Exists(Size) && File.ReadAllText(Level).Trim() == "2", "The system has no such file.");
        string text = File.ReadAllText(Size).Trim();
        Assert.Equal(CoreCache.Bytes, long.Parse(string.Concat(text.TakeWhile(char.IsAsciiDigit)), System.Globalization.CultureInfo.InvariantCulture) * 1024);
    }
}
