using System;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace FastAttn.Benchmarks.Peers.Ggml;

/// <summary>
/// ggml's native libraries, loaded out of the folder of packages: the package LLamaSharp.Backend.Cpu has them for some systems, and for x64 a build for each of
/// some instruction sets.
/// </summary>
internal static class GgmlLibrary
{
    /// <summary>The package, as in the project file.</summary>
    public const string Package = "LLamaSharp.Backend.Cpu", PackageVersion = "0.30.0";

    private static readonly (string? Missing, nint Base, nint Cpu) Loaded = Load();

    /// <summary>Why it is not there, or null.</summary>
    public static string? Missing => Loaded.Missing;

    /// <summary>The build that is loaded, as in <c>linux-x64/avx512</c>.</summary>
    public static string Build => X64Build is { } build ? $"{System}/{build}" : System;

    /// <summary>Its version, without which it is not there.</summary>
    public static string Version => Marshal.PtrToStringUTF8(GgmlNative.Version())!;

    private static string System => $"{SystemName}-{RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant()}";

    private static string SystemName =>
        OperatingSystem.IsWindows() ? "win" : OperatingSystem.IsMacOS() ? "osx" : RuntimeInformation.RuntimeIdentifier.Contains("musl", StringComparison.Ordinal) ? "linux-musl" : "linux";

    /// <summary>The best build that this CPU runs; null where there is only one.</summary>
    private static string? X64Build
    {
        get
        {
            if (RuntimeInformation.ProcessArchitecture != Architecture.X64 || OperatingSystem.IsMacOS())
                return null;
            if (Avx512BW.VL.IsSupported && Avx512CD.VL.IsSupported && Avx512DQ.VL.IsSupported)
                return "avx512";
            return Avx2.IsSupported && Fma.IsSupported && Bmi2.IsSupported ? "avx2" : Avx.IsSupported ? "avx" : "noavx";
        }
    }

    /// <summary>The folder of the build for this system and CPU, or why there is none.</summary>
    /// <param name="root">The folder of packages.</param>
    internal static (string? Missing, string Folder) Find(string root)
    {
        string package = Path.Combine(root, Package.ToLowerInvariant(), PackageVersion);
        if (!Directory.Exists(package))
            return ($"the package {Package} {PackageVersion} is not restored; there is no {package}", "");
        string folder = Path.Combine(package, "LLamaSharpRuntimes", System, "native", X64Build ?? "");
        return Directory.Exists(folder) ? (null, folder) : ($"the package {Package} {PackageVersion} has no build for {Build}", "");
    }

    private static (string? Missing, nint Base, nint Cpu) Load()
    {
        (string? missing, string folder) = Find(typeof(GgmlLibrary).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(static attribute => attribute.Key == "PackageRoot").Value!);
        if (missing is not null)
            return (missing, 0, 0);
        try
        {
            // The second needs the first, which is found because it is loaded already.
            nint first = NativeLibrary.Load(PathOf(folder, GgmlNative.Base)), second = NativeLibrary.Load(PathOf(folder, GgmlNative.Cpu));
            NativeLibrary.SetDllImportResolver(typeof(GgmlLibrary).Assembly, Resolve);
            return (null, first, second);
        }
        catch (Exception e) when (e is DllNotFoundException or BadImageFormatException)
        {
            return ($"{Build} cannot be loaded: {e.Message.ReplaceLineEndings(" ")}", 0, 0);
        }
    }

    private static nint Resolve(string library, Assembly assembly, DllImportSearchPath? searchPath) => library switch
    {
        GgmlNative.Base => Loaded.Base,
        GgmlNative.Cpu => Loaded.Cpu,
        _ => 0,
    };

    private static string PathOf(string folder, string library) =>
        Path.Combine(folder, OperatingSystem.IsWindows() ? $"{library}.dll" : OperatingSystem.IsMacOS() ? $"lib{library}.dylib" : $"lib{library}.so");
}
