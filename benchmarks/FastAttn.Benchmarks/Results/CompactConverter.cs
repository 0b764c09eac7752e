using System;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace FastAttn.Benchmarks.Results;

/// <summary>Writes an object on one line of an indented file, so that a difference of two files reads like a table.</summary>
internal sealed class CompactConverter<T>(JsonSerializerOptions compact) : JsonConverter<T>
{
    public override T? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        JsonSerializer.Deserialize<T>(ref reader, compact);

    // The indented writer does not put a raw value on a line of its own, so that the value begins with the line end and the indentation.
    public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options) =>
        writer.WriteRawValue("\n    " + JsonSerializer.Serialize(value, compact));
}
