using System;
using System.Reflection;

namespace FastAttn.Benchmarks.Peers;

/// <summary>The version of the package that a type comes from.</summary>
internal static class PackageVersion
{
    /// <summary>The informational version, without the commit that follows a plus sign.</summary>
    public static string Of(Type type) =>
        type.Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0];
}
