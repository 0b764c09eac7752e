using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.IO;
using System.IO.Compression;
using System.Linq;
using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;
using System.Threading.Tasks;
using System.Xml.Linq;

using FastAttn.Platform.Tests.Fixtures;

using Xunit;

namespace FastAttn.Platform.Tests;

public sealed class PackageTests(PackageFeed feed)
{
    private const long Mebibyte = 1 << 20;

    [Fact]
    public async Task The_package_holds_these_files_and_no_other()
    {
        await using ZipArchive package = await OpenPackage("nupkg");

        Assert.Equal(
            [
                "CHANGELOG.md",
                "FastAttn.nuspec",
                "README.md",
                "analyzers/dotnet/cs/FastAttn.Generators.dll",
                "buildTransitive/net10.0/FastAttn.targets",
                "icon.png",
                "lib/net10.0/FastAttn.dll",
                "lib/net10.0/FastAttn.xml",
            ],
            FileNames(package));
    }

    [Fact]
    public async Task The_package_is_small() => Assert.InRange(new FileInfo(await feed.Package).Length, 1, Mebibyte);

    [Fact]
    public async Task The_package_is_under_the_MIT_licence_and_depends_on_nothing()
    {
        await using ZipArchive package = await OpenPackage("nupkg");
        XElement metadata = await Metadata(package, "FastAttn.nuspec");
        XNamespace ns = metadata.Name.Namespace;

        Assert.Equal("FastAttn", (string?)metadata.Element(ns + "id"));
        Assert.Equal("MIT", (string?)metadata.Element(ns + "license"));
        Assert.Equal("expression", (string?)metadata.Element(ns + "license")?.Attribute("type"));
        Assert.Equal("README.md", (string?)metadata.Element(ns + "readme"));
        Assert.Equal("icon.png", (string?)metadata.Element(ns + "icon"));
        Assert.Contains("CHANGELOG.md", (string?)metadata.Element(ns + "releaseNotes") ?? "", StringComparison.Ordinal);
        Assert.NotEmpty((string?)metadata.Element(ns + "description") ?? "");
        Assert.NotEmpty((string?)metadata.Element(ns + "tags") ?? "");
        Assert.Empty(metadata.Descendants(ns + "dependency"));
        Assert.Empty(metadata.Descendants(ns + "frameworkReference"));
    }

    [Fact]
    public async Task The_tensors_package_holds_these_files_and_no_other()
    {
        await using ZipArchive package = await Open(await feed.TensorsPackage);

        Assert.Equal(
            ["CHANGELOG.md", "FastAttn.Tensors.nuspec", "README.md", "icon.png", "lib/net10.0/FastAttn.Tensors.dll", "lib/net10.0/FastAttn.Tensors.xml"],
            FileNames(package));
    }

    /// <summary>All that the library's package brings is brought on, its generator too: no asset is excluded.</summary>
    [Fact]
    public async Task The_tensors_package_depends_on_the_library_and_System_Numerics_Tensors_alone()
    {
        await using ZipArchive package = await Open(await feed.TensorsPackage);
        XElement metadata = await Metadata(package, "FastAttn.Tensors.nuspec");
        XNamespace ns = metadata.Name.Namespace;

        Assert.Equal("FastAttn.Tensors", (string?)metadata.Element(ns + "id"));
        Assert.Equal("MIT", (string?)metadata.Element(ns + "license"));
        Assert.Equal("README.md", (string?)metadata.Element(ns + "readme"));
        Assert.Equal("icon.png", (string?)metadata.Element(ns + "icon"));
        Assert.NotEmpty((string?)metadata.Element(ns + "description") ?? "");
        Assert.NotEmpty((string?)metadata.Element(ns + "tags") ?? "");
        Assert.Empty(metadata.Descendants(ns + "frameworkReference"));

        XElement[] dependencies = [.. metadata.Descendants(ns + "dependency").OrderBy(dependency => (string?)dependency.Attribute("id"), StringComparer.Ordinal)];
        Assert.Equal(2, dependencies.Length);
        Assert.Equal(("FastAttn", "System.Numerics.Tensors"), ((string?)dependencies[0].Attribute("id"), (string?)dependencies[1].Attribute("id")));
        Assert.Equal("0.0.0-checkout", (string?)dependencies[0].Attribute("version"));
        Assert.Null(dependencies[0].Attribute("exclude"));
    }

    [Fact]
    public async Task A_project_that_refers_to_the_tensors_package_alone_declares_and_runs_a_kernel()
    {
        _ = await feed.TensorsPackage;
        string folder = feed.NewFolder("tensors");
        CommandResult build = await Command.Dotnet(feed.TensorConsumerProject, "build", "-c", "Release", "-o", folder);
        build.ShouldSucceedWherePackagesCanBeHad();
        Assert.Empty(build.Warnings);

        CommandResult run = await Command.Run(Path.Combine(folder, OperatingSystem.IsWindows() ? "TensorConsumer.exe" : "TensorConsumer"), []);

        run.ShouldSucceed();
        Assert.Equal($"F32_D16_Causal_{InstructionSets.Supported[0]} 3", run.Output.Trim());
    }

    [Theory]
    [InlineData("README.md", "src/FastAttn/README.md")]
    [InlineData("CHANGELOG.md", "CHANGELOG.md")]
    [InlineData("icon.png", "src/FastAttn/icon.png")]
    public async Task The_package_has_the_documents_of_the_repository(string file, string source)
    {
        await using ZipArchive package = await OpenPackage("nupkg");

        Assert.Equal(await File.ReadAllBytesAsync(Path.Combine(Paths.RepositoryRoot, source), TestContext.Current.CancellationToken), (await Content(package, file)).ToArray());
    }

    /// <summary>NuGet's own advice for icons; feeds scale other sizes.</summary>
    [Fact]
    public async Task The_icon_is_a_PNG_of_128_by_128_pixels()
    {
        await using ZipArchive package = await OpenPackage("nupkg");

        byte[] icon = (await Content(package, "icon.png")).ToArray();

        // A PNG is a signature of eight bytes, and chunks: length, name, and in the first one width and height, four bytes each.
        Assert.Equal([0x89, (byte)'P', (byte)'N', (byte)'G', (byte)'\r', (byte)'\n', 0x1A, (byte)'\n'], icon[..8]);
        Assert.Equal((128, 128), (BinaryPrimitives.ReadInt32BigEndian(icon.AsSpan(16)), BinaryPrimitives.ReadInt32BigEndian(icon.AsSpan(20))));
    }

    [Theory]
    [InlineData("lib/net10.0/FastAttn.dll")]
    [InlineData("analyzers/dotnet/cs/FastAttn.Generators.dll")]
    public async Task The_package_has_no_native_code(string file)
    {
        await using ZipArchive package = await OpenPackage("nupkg");
        using var image = new PEReader(await Content(package, file));

        Assert.Equal(CorFlags.ILOnly, image.PEHeaders.CorHeader!.Flags & CorFlags.ILOnly);
        MetadataReader metadata = image.GetMetadataReader();
        Assert.Equal(0, metadata.GetTableRowCount(TableIndex.ImplMap)); // no DllImport
    }

    [Fact]
    public async Task The_symbols_hold_the_emitted_source()
    {
        var embeddedSource = new Guid("0E8A571B-6926-466E-B4AD-8AB04611F5FE"); // Portable PDB specification, "Embedded Source"
        await using ZipArchive symbols = await OpenPackage("snupkg");
        using MetadataReaderProvider provider = MetadataReaderProvider.FromPortablePdbStream(await Content(symbols, "lib/net10.0/FastAttn.pdb"));
        MetadataReader reader = provider.GetMetadataReader();

        List<DocumentHandle> emitted = [.. reader.Documents.Where(d => reader.GetString(reader.GetDocument(d).Name).EndsWith(".g.cs", StringComparison.Ordinal))];

        Assert.NotEmpty(emitted);
        Assert.All(emitted, document => Assert.Contains(
            reader.GetCustomDebugInformation(document),
            information => reader.GetGuid(reader.GetCustomDebugInformation(information).Kind) == embeddedSource));
    }

    [Fact]
    public async Task A_project_that_refers_to_the_package_declares_and_runs_a_kernel()
    {
        ConsumerReport report = await ConsumerReport.Of(await feed.Consumer, []);

        report.ShouldBeRightOn([.. InstructionSets.Supported]);
    }

    [Fact]
    public async Task A_project_that_refers_to_such_a_project_runs_its_kernel()
    {
        _ = await feed.Package;
        string folder = feed.NewFolder("transitive");
        CommandResult build = await Command.Dotnet(feed.ConsumerOfConsumerProject, "build", "-c", "Release", "-o", folder);
        build.ShouldSucceedWherePackagesCanBeHad();
        Assert.Empty(build.Warnings);

        ConsumerReport report = await ConsumerReport.Of(Path.Combine(folder, OperatingSystem.IsWindows() ? "ConsumerOfConsumer.exe" : "ConsumerOfConsumer"), []);

        ConsumerReport.Line line = Assert.Single(report.Kernels);
        Assert.Equal((InstructionSets.Supported[0], $"F32_D64_Causal_{InstructionSets.Supported[0]}"), (line.InstructionSet, line.Kernel));
        line.ShouldBeRight();
    }

    /// <summary>The compiler alone would say that a member lacks its implementing part, and not why.</summary>
    [Fact]
    public async Task A_build_says_what_is_wrong_with_a_declaration()
    {
        _ = await feed.Package;
        CommandResult build = await Command.Dotnet(feed.MistakenProject, "build", "-c", "Release", "-o", feed.NewFolder("mistaken"));

        Assert.NotEqual(0, build.ExitCode);
        foreach (string id in (string[])["FATTN002", "FATTN004", "FATTN006", "FATTN012"])
        {
            string line = build.Lines.FirstOrDefault(line => line.Contains($"error {id}", StringComparison.Ordinal)) ?? build.Describe();
            Assert.Matches($@"Program\.cs\(\d+,\d+\): error {id}: '?[\w ]+'?", line);
        }

        // The second of two names, on a line of its own: what follows a semicolon or a line's end must not be lost.
        Assert.Contains(build.Lines, static line => line.Contains("error FATTN017: The property FastAttnInstructionSets names 'Sse9'; it may name ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_project_for_an_older_framework_is_told_so()
    {
        _ = await feed.Package;
        CommandResult restore = await Command.Dotnet(feed.MistakenProject, "restore", "-p:TargetFramework=net8.0");

        Assert.NotEqual(0, restore.ExitCode);
        Assert.True(restore.Output.Contains("NU1202", StringComparison.Ordinal), restore.Describe());
    }

    private async Task<ZipArchive> OpenPackage(string extension) => await Open(Path.ChangeExtension(await feed.Package, extension));

    private static async Task<ZipArchive> Open(string file) => await ZipFile.OpenReadAsync(file, TestContext.Current.CancellationToken);

    private static async Task<XElement> Metadata(ZipArchive package, string nuspec)
    {
        await using Stream stream = await package.GetEntry(nuspec)!.OpenAsync(TestContext.Current.CancellationToken);
        return Assert.Single((await XDocument.LoadAsync(stream, LoadOptions.None, TestContext.Current.CancellationToken)).Root!.Elements());
    }

    // Without the three entries of the container format (OPC).
    private static List<string> FileNames(ZipArchive archive) =>
        [.. archive.Entries.Select(e => e.FullName).Where(n => n is not ("_rels/.rels" or "[Content_Types].xml") && !n.EndsWith(".psmdcp", StringComparison.Ordinal)).Order(StringComparer.Ordinal)];

    private static async Task<MemoryStream> Content(ZipArchive archive, string file)
    {
        await using Stream entry = await archive.GetEntry(file)!.OpenAsync(TestContext.Current.CancellationToken);
        var content = new MemoryStream();
        await entry.CopyToAsync(content, TestContext.Current.CancellationToken);
        content.Position = 0;
        return content;
    }
}
