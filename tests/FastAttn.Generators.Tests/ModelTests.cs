using System;
using System.Collections;
using System.Collections.Generic;
using System.Linq;
using System.Reflection;

using FastAttn.Generators.Model;
using FastAttn.Generators.Tests.Harness;

using Microsoft.CodeAnalysis;

using Xunit;

namespace FastAttn.Generators.Tests;

/// <summary>What the pipeline keeps between runs compares by value and keeps no compilation alive.</summary>
public sealed class ModelTests
{
    public static IEnumerable<TheoryDataRow<Type>> Models { get; } = typeof(KernelSpec).Assembly.GetTypes()
        .Where(static type => type.Namespace == typeof(KernelSpec).Namespace && !type.IsDefined(typeof(System.Runtime.CompilerServices.CompilerGeneratedAttribute)) && !type.IsNested)
        .Select(static type => new TheoryDataRow<Type>(type.ContainsGenericParameters ? type.MakeGenericType(typeof(int)) : type));

    [Theory]
    [MemberData(nameof(Models))]
    public void Models_compare_by_value(Type model) =>
        Assert.True(model.IsEnum || typeof(IEquatable<>).MakeGenericType(model).IsAssignableFrom(model));

    [Theory]
    [MemberData(nameof(Models))]
    public void Models_declare_no_fields_of_the_compiler(Type model) => Assert.All(
        model.GetFields(BindingFlags.Instance | BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic),
        static field => Assert.DoesNotContain("Microsoft.CodeAnalysis", field.FieldType.FullName ?? string.Empty, StringComparison.Ordinal));

    [Fact]
    public void Values_of_the_pipeline_reach_no_object_of_the_compiler()
    {
        GeneratorRun run = GeneratorRun.Of(Source.Properties("64", "64, Mask = AttentionMask.Causal", "31, ValueDim = 100"));

        var visited = new HashSet<object>(ReferenceEqualityComparer.Instance);
        foreach ((string step, object value, _) in run.TrackedSteps)
            Visit(step, value, visited);
        Assert.True(visited.Count > 10);
    }

    [Fact]
    public void Values_of_the_pipeline_are_models() => Assert.Subset(
        Models.Select(static row => row.Data).ToHashSet(),
        GeneratorRun.Of(Source.Properties("64")).TrackedSteps.Select(static step => step.Value.GetType()).ToHashSet());

    /// <summary>The generator does not refer to the library, so it has enums of its own.</summary>
    [Theory]
    [InlineData(typeof(MaskKind), typeof(AttentionMask))]
    [InlineData(typeof(KernelFeatures), typeof(AttentionFeatures))]
    public void Enums_are_the_library_s(Type model, Type library) => Assert.Equal(
        library.GetFields(BindingFlags.Public | BindingFlags.Static).Select(static field => (field.Name, (int)field.GetRawConstantValue()!)),
        model.GetFields(BindingFlags.Public | BindingFlags.Static).Select(static field => (field.Name, (int)field.GetRawConstantValue()!)));

    [Fact]
    public void Arrays_compare_by_their_elements()
    {
        EquatableArray<int> one = new([1, 2]), same = new([1, 2]), longer = new([1, 2, 3]), other = new([2, 1]);

        Assert.True(one.Equals(same));
        Assert.Equal(one.GetHashCode(), same.GetHashCode());
        Assert.False(one.Equals(longer));
        Assert.False(one.Equals(other));
        Assert.True(default(EquatableArray<int>).Equals(new([])));
        Assert.Empty(default(EquatableArray<int>));
    }

    private static void Visit(string path, object? value, HashSet<object> visited)
    {
        if (value is null || !visited.Add(value))
            return;
        Type type = value.GetType();
        Assert.False(value is ISymbol or SyntaxNode or SyntaxTree or Compilation or SemanticModel or Location or Diagnostic, $"{path} is a {type}.");
        if (type.IsPrimitive || type.IsEnum || value is string)
            return;
        if (value is IEnumerable items)
        {
            foreach (object? item in items)
                Visit($"{path}[]", item, visited);
        }

        foreach (FieldInfo field in type.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic))
            Visit($"{path}.{field.Name}", field.GetValue(value), visited);
    }
}
