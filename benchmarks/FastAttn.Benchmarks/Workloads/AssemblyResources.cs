using System;
using System.IO;
using System.Linq;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;

namespace FastAttn.Benchmarks.Workloads;

/// <summary>Files that an assembly holds as resources.</summary>
internal static class AssemblyResources
{
    /// <summary>Copies resources into a folder without loading the assembly: a resource is its length in four bytes, then its bytes.</summary>
    /// <param name="assembly">The path of the assembly.</param>
    /// <param name="prefix">What the names of the resources begin with; files have the rest.</param>
    /// <param name="folder">Where they are written.</param>
    public static void Extract(string assembly, string prefix, string folder)
    {
        using var executable = new PEReader(File.OpenRead(assembly));
        MetadataReader metadata = executable.GetMetadataReader();
        PEMemoryBlock section = executable.GetSectionData(executable.PEHeaders.CorHeader!.ResourcesDirectory.RelativeVirtualAddress);
        foreach (ManifestResource resource in metadata.ManifestResources.Select(metadata.GetManifestResource))
        {
            string name = metadata.GetString(resource.Name);
            BlobReader reader = section.GetReader((int)resource.Offset, section.Length - (int)resource.Offset);
            int length = reader.ReadInt32();
            if (name.StartsWith(prefix, StringComparison.Ordinal))
                File.WriteAllBytes(Path.Combine(folder, name[prefix.Length..]), reader.ReadBytes(length));
        }
    }
}
