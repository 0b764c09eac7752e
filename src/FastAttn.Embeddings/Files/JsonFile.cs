using System;
using System.IO;
using System.Text.Json;

namespace FastAttn.Embeddings.Files;

/// <summary>A JSON file of a model, whose errors name the file and the entry.</summary>
internal sealed class JsonFile : IDisposable
{
    // The largest such files are tokenizers with their vocabularies, of some MB.
    private const long MaxBytes = 256L << 20;

    private readonly JsonDocument _document;

    private JsonFile(string path, JsonDocument document)
    {
        _document = document;
        Root = new(path, string.Empty, document.RootElement);
    }

    /// <summary>The whole file: an object or an array.</summary>
    public JsonEntry Root { get; }

    /// <summary>Reads a file.</summary>
    /// <exception cref="InvalidDataException">It is not JSON, or larger than any such file, or no file of bytes.</exception>
    public static JsonFile Read(string path)
    {
        try
        {
            using FileStream file = RegularFile.Open(path);
            if (file.Length > MaxBytes)
                throw new InvalidDataException($"{Printable.Of(path)}: has {file.Length} bytes; expected at most {MaxBytes}.");
            return new(path, JsonDocument.Parse(file, new JsonDocumentOptions { AllowDuplicateProperties = false }));
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{Printable.Of(path)}: is malformed: {e.Message}", e);
        }
        catch (InvalidOperationException e)
        {
            // A name has bytes that are not UTF-8, or half a surrogate pair. Names are compared while the file is read.
            throw new InvalidDataException($"{Printable.Of(path)}: is malformed: a name in it is not valid text.", e);
        }
    }

    /// <summary>Reads a file of a folder, or returns null where there is none.</summary>
    public static JsonFile? ReadIfThere(string folder, string name)
    {
        string path = Path.Combine(folder, name);
        return File.Exists(path) ? Read(path) : null;
    }

    public void Dispose() => _document.Dispose();
}
