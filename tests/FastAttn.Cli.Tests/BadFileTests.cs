using System.IO;

using Xunit;

namespace FastAttn.Cli.Tests;

public sealed class BadFileTests
{
    // What is wrong, the file, and what the message must say.
    public static TheoryData<string, byte[], string> BadFiles => new()
    {
        { "empty", [], "is not an .npy file" },
        { "text", "1 2 3\n4 5 6\n"u8.ToArray(), "is not an .npy file" },
        { "zip", "PK\u0003\u0004 an .npz file"u8.ToArray(), "is not an .npy file" },
        { "magic only", NpyBytes.Magic, "is not an .npy file" },
        { "version 4", NpyBytes.File(NpyBytes.Header2X3, major: 4), "version 4.0; expected 1.0, 2.0 or 3.0" },
        { "version 1.1", NpyBytes.File(NpyBytes.Header2X3, minor: 1), "version 1.1" },
        { "no header length", [.. NpyBytes.Magic, 1, 0, 9], "truncated within its header" },
        { "truncated header", NpyBytes.File(NpyBytes.Header2X3, dataBytes: 0, headerLength: 61), "truncated within its header" },
        { "huge header", NpyBytes.File(NpyBytes.Header2X3, major: 2, headerLength: uint.MaxValue), "header of 4294967295 bytes; expected at most" },
        { "float64", Described("<f8"), "dtype '<f8'; expected '<f4', little-endian float32" },
        { "big-endian", Described(">f4"), "dtype '>f4'; expected '<f4'" },
        { "int32", Described("<i4"), "dtype '<i4'" },
        { "float16", Described("<f2"), "dtype '<f2'" },
        { "objects", Described("|O"), "dtype '|O'" },
        { "structured", NpyBytes.File("{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (2, 3), }"), "structured dtype; expected '<f4'" },
        { "Fortran order", NpyBytes.File("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }"), "Fortran order; expected C order" },
        { "truncated data", NpyBytes.File(NpyBytes.Header2X3, dataBytes: 23), "truncated: has 23 bytes of data; shape (2, 3) needs 24" },
        { "trailing data", NpyBytes.File(NpyBytes.Header2X3, dataBytes: 25), "1 bytes after its data" },
        { "scalar", Shaped("()", 4), "has 0 axes; expected 2 to 4" },
        { "one axis", Shaped("(6,)"), "has 1 axes; expected 2 to 4: [L,D], [H,L,D] or [B,H,L,D]" },
        { "five axes", Shaped("(1, 1, 1, 2, 3)"), "has 5 axes" },
        { "negative size", Shaped("(-2, -3)"), "negative size" },
        { "huge shape", Shaped("(1000000, 1000000)"), "at most 2147483591 elements" },
        { "shape whose bytes overflow 64 bits", Shaped("(4611686018427387904, 4)"), "at most 2147483591 elements" },
        { "shape beyond 64 bits", Shaped("(99999999999999999999, 3)"), "larger than 64 bits" },
        { "huge shape with a zero", Shaped("(0, 99999999999)", 0), "at most 2147483591 elements" },
        { "large shape, small file", Shaped("(500000000, 4)"), "truncated: has 24 bytes" },
        { "65 axes", Shaped($"({string.Concat(System.Linq.Enumerable.Repeat("1, ", 65))})", 4), "malformed header" },
        { "shape of a number", Shaped("(6)"), "malformed header: expected a tuple" },
        { "shape of a list", Shaped("[2, 3]"), "malformed header: expected '('" },
        { "shape with a product", Shaped("(2 * 3, 1)"), "malformed header" },
        { "shape with two commas", Shaped("(2,, 3)"), "malformed header: expected a size" },
        { "shape without end", Shaped("(2, 3"), "malformed header" },
        { "shape with None", Shaped("(None, 3)"), "malformed header: expected a size" },
        { "order of a number", NpyBytes.File("{'descr': '<f4', 'fortran_order': 0, 'shape': (2, 3), }"), "expected True or False" },
        { "no shape", NpyBytes.File("{'descr': '<f4', 'fortran_order': False, }"), "no 'shape' in its header" },
        { "no type", NpyBytes.File("{'fortran_order': False, 'shape': (2, 3), }"), "no 'descr' in its header" },
        { "no order", NpyBytes.File("{'descr': '<f4', 'shape': (2, 3), }"), "no 'fortran_order' in its header" },
        { "shape twice", NpyBytes.File("{'shape': (6,), 'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}"), "has 'shape' in its header" },
        { "unknown key", NpyBytes.File("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), 'x': 1}"), "has 'x' in its header" },
        { "escape in a key", NpyBytes.File("{'de\\x73cr': '<f4', 'fortran_order': False, 'shape': (2, 3)}"), "malformed header" },
        { "line feed in a key", NpyBytes.File("{'de\nscr': '<f4', 'fortran_order': False, 'shape': (2, 3)}"), "malformed header" },
        { "key without end", NpyBytes.File("{'descr"), "malformed header" },
        { "two dictionaries", NpyBytes.File(NpyBytes.Header2X3 + NpyBytes.Header2X3), "malformed header: expected its end" },
        { "no dictionary", NpyBytes.File("('<f4', False, (2, 3))"), "malformed header: expected '{'" },
        { "dictionary without end", NpyBytes.File("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), "), "malformed header" },
        { "blank header", NpyBytes.File("    "), "malformed header" },
        { "no head dimension", Shaped("(2, 0)", 0), "its last axis is 0; expected 1 to 1024" },
        { "head dimension of 1025", Shaped("(1, 1025)", 4100), "its last axis is 1025; expected 1 to 1024" },
    };

    [Theory]
    [MemberData(nameof(BadFiles))]
    public void A_bad_file_is_an_error_that_names_it_and_what_was_expected(string what, byte[] file, string message)
    {
        _ = what;
        using var folder = new ArrayFolder();
        folder.WriteInputs([2, 3], [2, 3], [2, 3]);
        foreach (string bad in new[] { folder.Query, folder.Key, folder.Value })
            File.WriteAllBytes(bad, file);

        folder.Run().ShouldBeBadInput($"--query {folder.Query}: ", message);
        Assert.Equal(["k.npy", "q.npy", "v.npy"], folder.FileNames);
    }

    [Theory]
    [InlineData("--query", "q.npy")]
    [InlineData("--key", "k.npy")]
    [InlineData("--value", "v.npy")]
    public void A_missing_file_is_named_with_its_option(string option, string name)
    {
        using var folder = new ArrayFolder();
        folder.WriteInputs([2, 3], [2, 3], [2, 3]);
        File.Delete(folder.File(name));

        folder.Run().ShouldBeBadInput($"{option} {folder.File(name)}: no such file.");
        Assert.Equal(2, folder.FileNames.Length);
    }

    [Fact]
    public void A_directory_is_no_file()
    {
        using var folder = new ArrayFolder();
        folder.WriteInputs([2, 3], [2, 3], [2, 3]);
        File.Delete(folder.Key);
        Directory.CreateDirectory(folder.Key);

        folder.Run().ShouldBeBadInput($"--key {folder.Key}: is a directory");
    }

    [Fact]
    public void An_empty_path_is_no_file()
    {
        using var folder = new ArrayFolder();

        ToolResult.Of("run", "--query", "", "--key", folder.Key, "--value", folder.Value, "--output", folder.Output)
            .ShouldBeBadInput("--query: is empty; expected an .npy file.");
    }

    private static byte[] Described(string description) =>
        NpyBytes.File($"{{'descr': '{description}', 'fortran_order': False, 'shape': (2, 3), }}");

    private static byte[] Shaped(string shape, int dataBytes = 24) =>
        NpyBytes.File($"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}", dataBytes);
}
