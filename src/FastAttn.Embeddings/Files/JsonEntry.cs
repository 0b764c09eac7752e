using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json;

namespace FastAttn.Embeddings.Files;

/// <summary>An entry of a <see cref="JsonFile"/>.</summary>
/// <param name="file">The path of the file.</param>
/// <param name="name">How messages name the entry: <c>model.vocab</c>, for instance; empty for the whole file.</param>
/// <param name="element">What it is.</param>
internal readonly struct JsonEntry(string file, string name, JsonElement element)
{
    /// <summary>Whether the entry is an object.</summary>
    public bool IsObject => element.ValueKind == JsonValueKind.Object;

    /// <summary>Whether the entry is a number.</summary>
    public bool IsNumber => element.ValueKind == JsonValueKind.Number;

    /// <summary>Whether the entry is a string.</summary>
    public bool IsText => element.ValueKind == JsonValueKind.String;

    /// <summary>An error about this entry.</summary>
    /// <param name="message">What was found and what was expected.</param>
    public InvalidDataException Error(string message) => new($"{Printable.Of(file)}: {(name.Length == 0 ? string.Empty : $"entry '{Printable.Of(name)}' ")}{message}");

    /// <summary>An entry of this object; null where it is absent or null.</summary>
    public JsonEntry? Find(string property)
    {
        if (!IsObject)
            throw Error("is not an object.");
        return element.TryGetProperty(property, out JsonElement value) && value.ValueKind != JsonValueKind.Null
            ? new JsonEntry(file, name.Length == 0 ? property : $"{name}.{property}", value)
            : null;
    }

    /// <summary>An entry of this object that must be there.</summary>
    public JsonEntry Get(string property) => Find(property) ?? throw Error($"has no '{property}'.");

    /// <summary>The entries of this object, in their order.</summary>
    public IEnumerable<(string Name, JsonEntry Value)> Properties()
    {
        if (!IsObject)
            throw Error("is not an object.");
        JsonEntry entry = this;
        return element.EnumerateObject().Select(property =>
        {
            string own = entry.NameOf(property);
            return (own, entry.Child(own, property.Value));
        });
    }

    /// <summary>The entries of this array, in their order.</summary>
    public IEnumerable<JsonEntry> Items()
    {
        if (element.ValueKind != JsonValueKind.Array)
            throw Error("is not an array.");
        JsonEntry entry = this;
        return element.EnumerateArray().Select((item, i) => entry.Child($"[{i}]", item));
    }

    /// <summary>This entry as a text.</summary>
    public string AsText()
    {
        try
        {
            return element.ValueKind == JsonValueKind.String ? element.GetString()! : throw Error("is not a string.");
        }
        catch (InvalidOperationException e)
        {
            // Half a surrogate pair, which is found only when the string is read.
            throw new InvalidDataException(Error("is not valid text.").Message, e);
        }
    }

    /// <summary>This entry as an integer of at least <paramref name="min"/>.</summary>
    public int AsInteger(int min)
    {
        if (element.ValueKind == JsonValueKind.Number && element.TryGetInt32(out int number) && number >= min)
            return number;
        throw Error($"is {Printable.Of(element.GetRawText())}; expected an integer from {min} to {int.MaxValue}.");
    }

    /// <summary>This entry as a number.</summary>
    public double AsNumber() =>
        element.ValueKind == JsonValueKind.Number && element.TryGetDouble(out double number) && double.IsFinite(number) ? number : throw Error("is not a finite number.");

    /// <summary>This entry as true or false.</summary>
    public bool AsBoolean() => element.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Error("is neither true nor false."),
    };

    /// <summary>A text of this object, or null.</summary>
    public string? FindText(string property) => Find(property)?.AsText();

    /// <summary>True or false of this object, or null.</summary>
    public bool? FindBoolean(string property) => Find(property)?.AsBoolean();

    /// <summary>Refuses an entry that is there and another than what is computed.</summary>
    public void Require(string property, string expected)
    {
        if (Find(property) is { } entry && entry.AsText() != expected)
            throw entry.Error($"is '{Printable.Of(entry.AsText())}', which is not supported; expected '{expected}'.");
    }

    /// <summary>Refuses a switch that is on, or off, where only the other is computed.</summary>
    public void Require(string property, bool expected)
    {
        if (Find(property) is { } entry && entry.AsBoolean() != expected)
            throw entry.Error($"is {(expected ? "false" : "true")}, which is not supported; expected {(expected ? "true" : "false")}.");
    }

    private string NameOf(JsonProperty property)
    {
        try
        {
            return property.Name;
        }
        catch (InvalidOperationException e)
        {
            // Half a surrogate pair, as in AsText.
            throw new InvalidDataException(Error("has a name that is not valid text.").Message, e);
        }
    }

    private JsonEntry Child(string child, JsonElement value) => new(file, name.Length == 0 || child.StartsWith('[') ? name + child : $"{name}.{child}", value);
}
