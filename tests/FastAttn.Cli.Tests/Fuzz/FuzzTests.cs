using System;
using System.IO;
using System.Linq;

using FastAttn.Cli.Npy;
using FastAttn.Cli.Tests.Decoders;
using FastAttn.Embeddings.Safetensors;

using Xunit;

namespace FastAttn.Cli.Tests.Fuzz;

/// <summary>
/// Whatever stands in a file or on the command line: the tool does its work, or ends with one line and exit code 2. It throws nothing else, does
/// not hang and allocates no more than its inputs explain. See tests/README.md for longer campaigns.
/// </summary>
public sealed class FuzzTests
{
    // The inputs have some KiB. The largest legitimate array is an output as wide as 1024 times a file without values.
    private const long ReaderBytes = 1 << 20, ToolBytes = 64 << 20;

    [Fact]
    public void Any_npy_file_is_read_or_refused() => Campaign.Run(ReaderBytes, random =>
    {
        using var file = new MemoryStream(new RandomFiles(random).Npy([.. Enumerable.Range(0, random.Next(5)).Select(_ => random.Next(4))]));
        try
        {
            NpyArray array = NpyFile.Read(file);
            Assert.Equal(array.Data.Length, array.Shape.Aggregate(1L, static (count, size) => count * size));
            Assert.Equal(file.Length, file.Position);
            return true;
        }
        catch (InvalidDataException)
        {
            return false;
        }
    });

    [Fact]
    public void Any_safetensors_file_is_read_or_refused() => Campaign.Run(ReaderBytes, random =>
    {
        using var stream = new MemoryStream(new RandomFiles(random).Layer(string.Empty));
        try
        {
            var file = new SafetensorsFile(stream);
            foreach (TensorInfo tensor in file.Tensors.Values)
                Assert.Equal(tensor.Count, file.Read(tensor).Length);
            return true;
        }
        catch (InvalidDataException)
        {
            return false;
        }
    });

    [Fact]
    public void Any_layer_runs_or_is_refused()
    {
        using var folder = new ArrayFolder();
        string weights = folder.File("model.safetensors"), sinks = folder.File("sinks.npy");
        Campaign.Run(ToolBytes, random =>
        {
            var files = new RandomFiles(random);
            File.WriteAllBytes(weights, files.Layer("a."));
            File.WriteAllBytes(folder.Query, random.Next(8) switch { < 4 => files.Npy(3, 8), < 6 => files.Npy(2, 1, 8), 6 => files.Npy(0, int.MaxValue, 8), _ => files.Npy(int.MaxValue, 0, 8) });
            File.WriteAllBytes(sinks, files.Npy(2));
            string[] options = files.Arguments(
                ("--mask", ["causal", "causal", "causal", "none", "1"]), ("--rotary", ["halfsplit", "interleaved", "halfsplit", "x"]), ("--rotary-base", ["100", "1e300", "0"]), ("--rotary-dim", ["2", "4", "6"]),
                ("--window", ["1", "0:0", "2147483647", "1:2", ":"]), ("--scale", ["1", "-3", "1e38", "1e39"]), ("--softcap", ["30", "1e-20", "1e20", "0"]), ("--sinks", [sinks, sinks, sinks, "", "a\0b"]),
                ("--rotary-factor", ["1.25", "1e-30", "1e38", "0"]), ("--alibi", ["true", "--alibi"]), ("--qkv-order", ["per-head", "concatenated", "x"]), ("--norm-after-rotary", ["true", "--mask"]),
                ("--norm", ["rms", "layer", "rms", "x"]), ("--norm-offset", ["1", "-1", "1e38", "x"]), ("--norm-eps", ["1e-5", "0", "-1"]), ("--threads", ["1", "2147483647", "2", "0"]), ("--isa", ["scalar", "scalar", "scalar", "mmx"]));
            string heads = files.Argument("2", "2", "2", "2", "2", "2", "2", "2", "2", "2", "2", "1", "4", "3", "2147483647"), prefix = files.Argument("a.", "a.", "a.", "a.", "a.", "a.", "a.", "a.", "a.", "a.", "a.", "a", "b.");
            return Accepts(folder, ["layer", "--weights", weights, "--prefix", prefix, "--heads", heads, "--input", folder.Query, "--output", folder.Output, .. options]);
        });
    }

    [Fact]
    public void Any_attention_runs_or_is_refused()
    {
        using var folder = new ArrayFolder();
        Campaign.Run(ToolBytes, random =>
        {
            var files = new RandomFiles(random);
            (int[] query, int[] key, int[] value) = Shapes(random);
            File.WriteAllBytes(folder.Query, files.Npy(query));
            File.WriteAllBytes(folder.Key, files.Npy(key));
            File.WriteAllBytes(folder.Value, files.Npy(value));
            string[] options = files.Arguments(
                ("--mask", ["causal", "none", "1"]), ("--scale", ["1", "-3", "1e38", "1e39"]), ("--position-offset", ["0", "-2147483648", "2147483647", "x"]), ("--threads", ["1", "2147483647", "0"]),
                ("--isa", ["scalar", "avx2", "mmx"]), ("--check", ["true", "", "--check"]));
            return Accepts(folder, ["run", "--query", folder.Query, "--key", folder.Key, "--value", folder.Value, "--output", folder.Output, .. options]);
        });
    }

    [Fact]
    public void Any_decoder_generates_or_is_refused()
    {
        TwinModel model = new TwinModel { Layers = 1, Dim = 8, Heads = 2, KeyValueHeads = 1, HeadDim = 4, FeedForward = 6, MaxTokens = 8, Frequency = TwinModel.Rotary(10000, 4) }.WithWeights("BF16");
        using var folder = new ModelFolder(model, "llama");
        folder.Write("generation_config.json", """{ "eos_token_id": [298] }""");
        string[] names = ["config.json", "generation_config.json", "tokenizer.json", "model.safetensors"];
        byte[][] files = [.. names.Select(name => File.ReadAllBytes(folder.File(name)))];
        Campaign.Run(ToolBytes, random =>
        {
            var mutation = new Mutation(random);
            int changed = random.Next(names.Length);
            for (int i = 0; i < names.Length; i++)
            {
                // Most of a weights file are numbers, and any will do. Its header has the first kilobytes.
                byte[] bytes = files[i], head = bytes[..Math.Min(bytes.Length, 2000)];
                File.WriteAllBytes(folder.File(names[i]), i == changed ? [.. mutation.Of(head), .. bytes[head.Length..]] : bytes);
            }

            ToolResult result = ToolResult.Of("generate", "--model", folder.Path, "--max-tokens", "2", "--threads", "1", "hello<b> wo\uD83D");
            if (result.ExitCode == ExitCode.Success)
                return true;
            result.ShouldBeBadInput();
            return false;
        });
    }

    [Fact]
    public void Any_command_line_runs_or_is_refused() => Campaign.Run(ToolBytes, random =>
    {
        var files = new RandomFiles(random);
        string[] words =
        [
            "run", "layer", "generate", "info", "--model", "--help", "-?", "-h", "--version", "--", "-", "", " ", "[suggest]", "[suggest:3]", "[diagram]", "[env:A=B]", "[", "]", "@", "@none", "--mask", "--mask=causal", "--mask:", "--scale=", "/h",
            "--query", "--weights", "--heads", "--isa", "--check", "--window", "-m", "1", "none", "\0", "\ud800", "\u001b[2J", "\r\n", new string('-', 100), new string('x', 10000),
        ];
        string[] args = [.. Enumerable.Range(0, random.Next(6)).Select(_ => files.Argument(words))];

        // That alone takes seconds.
        if (args is ["run", ..] && !args.Contains("--query"))
            args = [.. args, "--query", "none"];
        ToolResult result = ToolResult.Of(args);
        if (result.ExitCode == ExitCode.Success)
        {
            Assert.Equal("", result.Error);
            return true;
        }

        result.ShouldBeBadInput();
        return false;
    });

    /// <summary>Shapes that fit each other, with sizes beyond all bounds where an axis is 0.</summary>
    private static (int[] Query, int[] Key, int[] Value) Shapes(Random random)
    {
        bool isLarge = random.Next(4) == 0, hasBatch = isLarge || random.Next(2) == 0, hasHeads = hasBatch || random.Next(2) == 0;
        int dim = random.Next(1, 5), valueDim = random.Next(1, 5);
        int batch = Size(), keyHeads = Size(), heads = keyHeads * random.Next(1, 3), queries = Size(), keys = Size();
        if (isLarge)
        {
            // One of them is 0; the others may be beyond what fits into 32 bits together.
            int zero = random.Next(3);
            (batch, keyHeads, queries, keys) = (zero == 0 ? 0 : Large(), zero == 1 ? 0 : Large(), zero == 2 ? 0 : Large(), zero == 2 ? 0 : Large());
            heads = keyHeads;
        }

        return (Axes(heads, queries, dim), Axes(keyHeads, keys, dim), Axes(keyHeads, keys, valueDim));

        int Size() => random.Next(10) == 0 ? 0 : random.Next(1, 4);
        int Large() => random.Next(3) == 0 ? 1 : random.Next(2) == 0 ? 65536 : int.MaxValue;
        int[] Axes(int ownHeads, int length, int ownDim) => hasBatch ? [batch, ownHeads, length, ownDim] : hasHeads ? [ownHeads, length, ownDim] : [length, ownDim];
    }

    private static bool Accepts(ArrayFolder folder, string[] args)
    {
        File.Delete(folder.Output);
        string[] files = folder.FileNames;
        ToolResult result = ToolResult.Of(args);
        if (result.ExitCode == ExitCode.Success)
        {
            Assert.All(result.Error.Split(Environment.NewLine, StringSplitOptions.RemoveEmptyEntries), static line => Assert.StartsWith("ignored: ", line, StringComparison.Ordinal));
            NpyArray output = ArrayFolder.Read(folder.Output);
            Assert.Equal(ArrayFolder.Read(folder.Query).Shape[..^1], output.Shape[..^1]);
            return true;
        }

        result.ShouldBeBadInput();
        Assert.Equal(files, folder.FileNames);
        return false;
    }
}
