using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Reflection;

using FastAttn.Generators.Diagnostics;

using Microsoft.CodeAnalysis;

using Xunit;

namespace FastAttn.Generators.Tests;

public sealed class DescriptorTests
{
    private static readonly DiagnosticDescriptor[] All =
        [.. typeof(Descriptors).GetFields(BindingFlags.Public | BindingFlags.Static).Select(static field => (DiagnosticDescriptor)field.GetValue(null)!)];

    // Ids that were given once and are never used again.
    private static readonly string[] Removed = ["FATTN013"];

    [Fact]
    public void Ids_are_numbered_without_gaps_and_none_is_used_again() => Assert.Equal(
        Enumerable.Range(1, All.Length + Removed.Length).Select(static i => $"FATTN{i:000}"),
        All.Select(static descriptor => descriptor.Id).Concat(Removed).Order(StringComparer.Ordinal));

    [Fact]
    public void Release_notes_list_all_descriptors() => Assert.Equal(
        All.Select(static descriptor => $"{descriptor.Id} | {descriptor.Category} | {descriptor.DefaultSeverity} | {descriptor.Title}"),
        Released().Order(StringComparer.Ordinal));

    private static IEnumerable<string> Released() => Directory.GetFiles(AppContext.BaseDirectory, "AnalyzerReleases.*.md")
        .SelectMany(static path => File.ReadAllLines(path))
        .Where(static line => line.StartsWith("FATTN", StringComparison.Ordinal));
}
