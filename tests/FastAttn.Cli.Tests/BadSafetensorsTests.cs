using System.IO;

using Xunit;

namespace FastAttn.Cli.Tests;

/// <summary>Checkpoints that are broken, or made to break a reader.</summary>
public sealed class BadSafetensorsTests
{
    // What is wrong, the file, and what the message must say.
    public static TheoryData<string, byte[], string> BadFiles => new()
    {
        { "empty", [], "is not a safetensors file: it is empty, or a pipe or device" },
        { "seven bytes", new byte[7], "has 7 bytes; expected the 8 of its header's length" },
        { "text", "weights = {}\n"u8.ToArray(), "is not a safetensors file: its header would have" },
        { "pointer of Git LFS", "version https://git-lfs.github.com/spec/v1\n"u8.ToArray(), "is a pointer of Git LFS, not the file itself" },
        { "header longer than the file", SafetensorsBytes.File("{}", 0, 3), "its header would have 3 bytes; the file has 10" },
        { "header of 2⁶⁴ − 1 bytes", SafetensorsBytes.File("{}", 0, ulong.MaxValue), "its header would have 18446744073709551615 bytes" },
        { "header of 2⁶³ bytes", SafetensorsBytes.File("{}", 0, 1UL << 63), "its header would have 9223372036854775808 bytes" },
        { "empty header", SafetensorsBytes.File(""), "malformed header" },
        { "no JSON", SafetensorsBytes.File("{'a': 1}"), "malformed header" },
        { "a list", SafetensorsBytes.File("[]"), "has a header that is not an object" },
        { "deep nesting", SafetensorsBytes.File(new string('[', 1000)), "malformed header" },
        { "tensor twice", File(Tensor("a", "F32", "[1]", 0, 4) + ", " + Tensor("a", "F32", "[1]", 0, 4), 4), "malformed header" },
        { "tensor of a number", File("\"a\": 1"), "malformed tensor 'a'" },
        { "no type", File("\"a\": {\"shape\": [1], \"data_offsets\": [0, 4]}", 4), "malformed tensor 'a'" },
        { "no shape", File("\"a\": {\"dtype\": \"F32\", \"data_offsets\": [0, 4]}", 4), "malformed tensor 'a'" },
        { "no offsets", File("\"a\": {\"dtype\": \"F32\", \"shape\": [1]}", 4), "malformed tensor 'a'" },
        { "three offsets", File("\"a\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0, 4, 8]}", 8), "malformed tensor 'a'" },
        { "more than type, shape and place", File("\"a\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0, 4], \"strides\": [1]}", 4), "malformed tensor 'a'; expected 'dtype', 'shape' and 'data_offsets' of two numbers, and no more" },
        { "65 axes", File(Tensor("a", "F32", $"[{string.Join(", ", System.Linq.Enumerable.Repeat(1, 65))}]", 0, 4), 4), "malformed tensor 'a' of 65 axes; expected at most 64" },
        { "name that is not UTF-8", [10, 0, 0, 0, 0, 0, 0, 0, .. "{\""u8, 0xFF, .. "\": {} }"u8], "malformed header" },
        { "name of half a surrogate pair", File("\"\\ud800\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0, 4]}", 4), "malformed header: a name or type in it is not valid text" },
        { "type of half a surrogate pair", File(Tensor("a", "\\udc00", "[1]", 0, 4), 4), "malformed header: a name or type in it is not valid text" },
        { "key of half a surrogate pair", File("\"a\": {\"\\ud800\": \"F32\", \"shape\": [1], \"data_offsets\": [0, 4]}", 4), "malformed header: a name or type in it is not valid text" },
        { "name that steers a terminal", File("\"\\u001b[31m\\n\": 1"), "malformed tensor '\\u001b[31m\\u000a'" },
        { "name of a megabyte", File($"\"{new string('x', 1 << 20)}\": 1"), $"malformed tensor '{new string('x', 127)}…{new string('x', 127)}'" },
        { "negative size", File(Tensor("a", "F32", "[-1, -1]", 0, 4), 4), "malformed tensor 'a'" },
        { "fraction of a size", File(Tensor("a", "F32", "[1.5]", 0, 4), 4), "malformed tensor 'a'" },
        { "size beyond 64 bits", File(Tensor("a", "F32", "[99999999999999999999]", 0, 4), 4), "malformed tensor 'a'" },
        { "negative offset", File(Tensor("a", "F32", "[1]", -4, 0), 4), "malformed tensor 'a'" },
        { "offsets in reverse", File(Tensor("a", "F32", "[1]", 4, 0), 4), "tensor 'a' at bytes 4 to 0 of its data; there are 4" },
        { "offset behind the file", File(Tensor("a", "F32", "[1]", 4, 8), 4), "tensor 'a' at bytes 4 to 8 of its data; there are 4" },
        { "offset of 2⁶³ − 1", File(Tensor("a", "F32", "[1]", 0, long.MaxValue), 4), "at bytes 0 to 9223372036854775807 of its data; there are 4" },
        { "fewer bytes than the shape needs", File(Tensor("a", "F32", "[2]", 0, 4), 4), "tensor 'a' of F32 [2] in 4 bytes; expected 8" },
        { "more bytes than the shape needs", File(Tensor("a", "BF16", "[1]", 0, 4), 4), "tensor 'a' of BF16 [1] in 4 bytes; expected 2" },
        { "shape whose bytes are 0 in 64 bits", File(Tensor("a", "F32", "[4611686018427387904]", 0, 0), 0), "in 0 bytes; expected 18446744073709551616" },
        { "shape whose product is 0 in 64 bits", File(Tensor("a", "F32", "[4294967296, 4294967296]", 0, 0), 0), "in 0 bytes; expected" },
        { "bytes before the first tensor", File(Tensor("a", "F32", "[1]", 4, 8), 8), "has bytes 0 to 4 of its data that belong to no tensor" },
        { "bytes between tensors", File(Tensor("b", "F32", "[1]", 8, 12) + ", " + Tensor("a", "F32", "[1]", 0, 4), 12), "has bytes 4 to 8 of its data that belong to no tensor" },
        { "bytes after the last tensor", File(Tensor("a", "F32", "[1]", 0, 4), 5), "has bytes 4 to 5 of its data that belong to no tensor" },
        { "bytes without a tensor", File("", 3), "has bytes 0 to 3 of its data that belong to no tensor" },
        { "tensors that overlap", File(Tensor("a", "F32", "[2]", 0, 8) + ", " + Tensor("b", "F32", "[2]", 4, 12), 12), "tensors 'a' and 'b' that overlap" },
    };

    [Theory]
    [MemberData(nameof(BadFiles))]
    public void A_bad_checkpoint_is_an_error_that_names_it_and_what_was_expected(string what, byte[] file, string message)
    {
        _ = what;
        using var folder = new ArrayFolder();
        folder.WriteNormal(folder.Query, 2, 3);
        string path = folder.File("model.safetensors");
        System.IO.File.WriteAllBytes(path, file);

        ToolResult.Of("layer", "--weights", path, "--heads", "1", "--input", folder.Query, "--output", folder.Output)
            .ShouldBeBadInput($"--weights {path}: ", message);
        Assert.Equal(["model.safetensors", "q.npy"], folder.FileNames);
    }

    [Fact]
    public void A_directory_is_not_a_checkpoint()
    {
        using var folder = new ArrayFolder();
        folder.WriteNormal(folder.Query, 2, 3);
        string path = Directory.CreateDirectory(folder.File("model")).FullName;
        ToolResult.Of("layer", "--weights", path, "--heads", "1", "--input", folder.Query, "--output", folder.Output).ShouldBeBadInput("is a directory");
    }

    private static byte[] File(string entries, int dataBytes = 0) => SafetensorsBytes.File($"{{{entries}}}", dataBytes);

    private static string Tensor(string name, string type, string shape, long begin, long end) =>
        $"\"{name}\": {{\"dtype\": \"{type}\", \"shape\": {shape}, \"data_offsets\": [{begin}, {end}]}}";
}
