using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace FastAttn.Benchmarks.Results;

/// <summary><c>results.json</c> in the folder of a CPU.</summary>
internal static class ResultsFile
{
    public const string FileName = "results.json";

    private static readonly JsonSerializerOptions Compact = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        RespectRequiredConstructorParameters = true,
        RespectNullableAnnotations = true,
        Converters = { new JsonStringEnumConverter() },
    };

    private static readonly JsonSerializerOptions Indented = new(Compact)
    {
        WriteIndented = true,
        NewLine = "\n",
        Converters =
        {
            new CompactConverter<PeerDescription>(Compact),
            new CompactConverter<PeakFigure>(Compact),
            new CompactConverter<BandwidthFigure>(Compact),
            new CompactConverter<CaseFigure>(Compact),
            new CompactConverter<MemoryFigure>(Compact),
            new CompactConverter<StartupFigure>(Compact),
        },
    };

    public static string Write(ReportResults results, DirectoryInfo folder)
    {
        folder.Create();
        string path = Path.Combine(folder.FullName, FileName);
        File.WriteAllText(path, JsonSerializer.Serialize(results, Indented) + "\n");
        return path;
    }

    /// <exception cref="InputException">There is no such file, or it is not one of this schema.</exception>
    public static ReportResults Read(string folder)
    {
        string path = Path.Combine(folder, FileName);
        try
        {
            string text = File.ReadAllText(path);
            int schema = JsonDocument.Parse(text).RootElement.GetProperty("schemaVersion").GetInt32();
            if (schema != ReportResults.CurrentSchema)
                throw new InputException($"{path}: has schema {schema}, this program reads {ReportResults.CurrentSchema}.");
            ReportResults results = JsonSerializer.Deserialize<ReportResults>(text, Indented)!;
            return results is { Peaks.Count: > 0, Bandwidths.Count: > 0 } ? results : throw new InputException($"{path}: has no measured limits.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{path}: cannot be read.");
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new InputException($"{path}: is not a results file: {e.Message}");
        }
    }

    /// <summary>The results in every folder below, ordered by the CPU's name; none where there is no such folder.</summary>
    public static IReadOnlyList<(string Folder, ReportResults Results)> ReadAll(string root)
    {
        if (!Directory.Exists(root))
            return [];
        return
        [
            .. Directory.GetDirectories(root)
                .Where(folder => File.Exists(Path.Combine(folder, FileName)))
                .Order(StringComparer.Ordinal)
                .Select(folder => (folder, Read(folder))),
        ];
    }
}
