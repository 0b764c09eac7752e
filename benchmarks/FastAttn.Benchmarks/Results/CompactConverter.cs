using System;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace FastAttn.Benchmarks.Results;

/// <summary>Writes an object on one line of an indented file, so that a difference of two files reads like a table.</summary>
internal sealed class CompactConverter<T>(JsonSerializerOptions compact) : JsonConverter<T>
{
    public override T? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        JsonSerializer.Deserialize<T>(ref reader, compact);

    // A raw value gets no line of its own from an indented writer.
    public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options) =>
        writer.WriteRawValue("\n    " + JsonSerializer.Serialize(value, compact));
}
