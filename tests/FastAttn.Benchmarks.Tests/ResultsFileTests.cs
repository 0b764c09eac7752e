using System.IO;
using System.Text.Json.Nodes;

using FastAttn.Benchmarks.Results;

using Xunit;

namespace FastAttn.Benchmarks.Tests;

public sealed class ResultsFileTests
{
    [Fact]
    public void What_is_written_is_read()
    {
        using var folder = new TemporaryFolder();
        ReportResults results = SampleResults.Create();

        ResultsFile.Write(results, folder.Info);

        Assert.Equivalent(results, ResultsFile.Read(folder.Path), strict: true);
    }

    [Fact]
    public void A_figure_is_a_line()
    {
        using var folder = new TemporaryFolder();
        string path = ResultsFile.Write(SampleResults.Create(), folder.Info);

        Assert.Contains(File.ReadAllLines(path), line => line.StartsWith("    {\"group\":\"prefill\"", System.StringComparison.Ordinal) && line.TrimEnd(',').EndsWith('}'));
    }

    [Fact]
    public void Another_schema_is_refused_by_name()
    {
        using var folder = new TemporaryFolder();
        Edit(folder, json => json["schemaVersion"] = 99);

        InputException error = Assert.Throws<InputException>(() => ResultsFile.Read(folder.Path));
        Assert.EndsWith("has schema 99, this program reads 1.", error.Message, System.StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("machine")]
    [InlineData("figures")]
    [InlineData("schemaVersion")]
    public void A_missing_member_is_refused(string member)
    {
        using var folder = new TemporaryFolder();
        Edit(folder, json => json.Remove(member));

        InputException error = Assert.Throws<InputException>(() => ResultsFile.Read(folder.Path));
        Assert.Contains("is not a results file", error.Message, System.StringComparison.Ordinal);
    }

    [Fact]
    public void Text_that_is_not_JSON_and_no_file_at_all_are_refused()
    {
        using var folder = new TemporaryFolder();
        Assert.Contains("cannot be read", Assert.Throws<InputException>(() => ResultsFile.Read(folder.Path)).Message, System.StringComparison.Ordinal);

        File.WriteAllText(Path.Combine(folder.Path, ResultsFile.FileName), "{");
        Assert.Contains("is not a results file", Assert.Throws<InputException>(() => ResultsFile.Read(folder.Path)).Message, System.StringComparison.Ordinal);
    }

    private static void Edit(TemporaryFolder folder, System.Action<JsonObject> edit)
    {
        string path = ResultsFile.Write(SampleResults.Create(), folder.Info);
        JsonObject json = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        edit(json);
        File.WriteAllText(path, json.ToJsonString());
    }
}
