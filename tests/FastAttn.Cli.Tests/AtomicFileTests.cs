using System.IO;

using Xunit;

namespace FastAttn.Cli.Tests;

public sealed class AtomicFileTests
{
    [Fact]
    public void A_write_that_fails_leaves_nothing()
    {
        using var folder = new ArrayFolder();

        Assert.Throws<InputException>(() => AtomicFile.Write("--output", folder.Output, FailHalfway));

        Assert.Empty(folder.FileNames);
    }

    [Fact]
    public void A_write_that_fails_leaves_the_old_file()
    {
        using var folder = new ArrayFolder();
        File.WriteAllText(folder.Output, "before");

        Assert.Throws<InputException>(() => AtomicFile.Write("--output", folder.Output, FailHalfway));

        Assert.Equal("before", File.ReadAllText(folder.Output));
        Assert.Equal(["o.npy"], folder.FileNames);
    }

    private static void FailHalfway(Stream file)
    {
        file.Write("half"u8);
        file.Flush();
        throw new IOException("No space left.");
    }
}
