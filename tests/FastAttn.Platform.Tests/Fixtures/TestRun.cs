using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using System.Xml.Linq;

using Xunit;

namespace FastAttn.Platform.Tests.Fixtures;

/// <summary>A run of FastAttn.Tests in another process.</summary>
internal static class TestRun
{
    // Names a file that is given one line for each run, so that .ci/run can count what ran in other processes.
    private const string SummaryVariable = "FASTATTN_CHILD_SUMMARY";

    private static readonly Lock Summaries = new();

    /// <summary>Runs it with the small budget; it must end well, with tests passed and none failed.</summary>
    public static async Task ShouldPass(string name, string file, IEnumerable<string> args, IReadOnlyDictionary<string, string> environment)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("fastattn-results-");
        try
        {
            CommandResult result = await Command.Run(
                file,
                [.. args, "--results-directory", folder.FullName, "--report-xunit-xml", "--report-xunit-xml-filename", "results.xml"],
                new Dictionary<string, string>(environment, StringComparer.Ordinal) { ["FASTATTN_TEST_BUDGET"] = "small" });

            string report = Path.Combine(folder.FullName, "results.xml");
            Assert.True(File.Exists(report), $"There are no results.\n{result.Describe()}");
            XElement assembly = Assert.Single(XDocument.Load(report).Descendants("assembly"));
            int passed = (int)assembly.Attribute("passed")!, skipped = (int)assembly.Attribute("skipped")!;
            int failed = (int)assembly.Attribute("failed")! + (int)assembly.Attribute("errors")!;

            string summary = $"{name}: passed={passed} failed={failed} skipped={skipped}";
            TestContext.Current.TestOutputHelper!.WriteLine($"{summary} in {result.Duration.TotalSeconds:F0} s");
            foreach (string line in SlowestAndSkipped(assembly))
                TestContext.Current.TestOutputHelper.WriteLine(line);
            if (Environment.GetEnvironmentVariable(SummaryVariable) is { Length: > 0 } summaries)
            {
                lock (Summaries)
                    File.AppendAllText(summaries, summary + "\n");
            }

            Assert.True(failed == 0 && passed > 0, $"{summary}\n{result.Describe()}");
            result.ShouldSucceed();
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static IEnumerable<string> SlowestAndSkipped(XElement assembly)
    {
        List<XElement> tests = [.. assembly.Descendants("test")];
        return
        [
            .. tests.OrderByDescending(Seconds).Take(10).Select(test => $"  {Seconds(test),6:F1} s  {(string?)test.Attribute("name")}"),
            .. tests.Where(test => (string?)test.Attribute("result") == "Skip").Select(test => $"  skipped  {(string?)test.Attribute("name")}: {(string?)test.Element("reason")}"),
        ];
    }

    private static double Seconds(XElement test) => double.Parse((string)test.Attribute("time")!, CultureInfo.InvariantCulture);
}
