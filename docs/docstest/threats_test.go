package docstest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// threats names, for each row of the table in docs/security.md, the tests that put
// the attack on: "package Test". They run with their packages.
func threats() map[string][]string {
	return map[string][]string{
		"T1":  {"handlers TestAuthorisationMatrix", "handlers TestAuth", "cli/e2e TestPublicNeverReachesInternal"},
		"T2":  {"handlers TestTokens", "handlers TestTokenEdges", "handlers FuzzToken"},
		"T3":  {"handlers TestKeyFlood", "handlers TestKeysRotate"},
		"T4":  {"handlers TestOnlyTheHostMayInvoke", "handlers TestAuth", "handlers TestLoopbackIsRefusedInAppService"},
		"T5":  {"handlers TestAuthorisationMatrix"},
		"T6":  {"handlers TestOrdersTellTheirOutcome", "handlers TestManyOrdersAtOnce", "handlers/page TestOrderOnce"},
		"T7":  {"handlers TestApprovalTellsItsOutcome", "handlers TestOnePersonIsOnePerson"},
		"T8":  {"failover TestOverridesInTheRunbook", "failover TestScenarios"},
		"T9":  {"handlers TestForgedHealthMovesNothing", "events TestTrap15_HandshakesAndDeadLetters", "cli/e2e TestNothingMoves"},
		"T10": {"failover/armnet TestTokensThatAreNotFollowed", "failover/armnet TestOperationThatMovesToAnotherHost", "failover/armnet TestOnlyTheConfiguredHost", "failover/armnet FuzzOperation", "failover/armnet TestReplyMatrix"},
		"T11": {"handlers TestForeignResourceIDs", "events TestTrap01_ResourceIDsInEverySpelling", "events FuzzParseResourceID", "cli/e2e TestUnknownCircuit"},
		"T12": {"handlers TestLogInjection", "failover/record TestClean", "cli TestHostileText"},
		"T13": {"handlers/page TestBrowser", "handlers/page TestNothingInline", "handlers/page FuzzText"},
		"T14": {"handlers TestCostlyBodies", "handlers TestBodyIsBounded", "handlers TestHostileInput", "handlers TestServe"},
		"T15": {"events TestTrap07_KeysThatDifferByCase", "events FuzzParse", "handlers FuzzEnvelope", "handlers FuzzQuickEnvelope", "handlers FuzzOrder"},
		"T16": {"failover/record TestEveryChangedByteShows", "failover/record TestJournal", "failover/record TestChainPromises"},
		"T17": {"infra/infratest TestRolesAreGolden", "infra/infratest TestRolesHoldNothingBroad"},
		"T18": {"failover/armnet TestEditedBody", "failover/armnet TestRaiseAndSettleRestoreEveryByte", "failover/armnet FuzzParseConnection"},
		"T19": {"failover/config TestSecretsNeverShow", "infra/infratest TestNoSecrets", "handlers TestLogKeepsKeysOut", "failover TestNoTokenIsShown", "failover/record TestSecretsDoNotReachARow", "failover/armnet TestScrub"},
		"T20": {"cli TestSBOM", "cli TestPackage", "handlers/appzip TestZip"},
		"T21": {"failover/config TestFiles", "failover/config TestUnknownGroupMayDoNothing", "failover/config FuzzParse", "cli/e2e TestMalformedConfig"},
		"T22": {"failover TestScenarios", "infra/infratest TestTerraformLeavesWeightsAlone", "failover/armnet TestWritesThatAreNotSent"},
		"T23": {"failover/notify TestInnerAddresses", "failover/notify TestDialIsGuarded", "failover/notify TestRebind"},
		"T24": {"failover/armnet TestPacingStaysInsideTheLimits", "failover/notify TestStorm", "cli/e2e TestBatch", "handlers TestRatesAreBounded"},
		"T25": {"handlers TestAnnouncementIsOnlyLookedAt", "handlers TestAnnouncementLinksThatAreNotGood", "handlers TestAnnouncementOnAPhone", "failover/notify TestCancelLinkGoesToPeople"},
	}
}

// Every row of the table of threats has tests, and each of them exists.
func TestEveryThreatHasItsTest(t *testing.T) {
	all := threats()
	rows := regexp.MustCompile(`(?m)^\| (T\d+) \|`).FindAllStringSubmatch(text(t, "docs/security.md"), -1)
	if len(rows) != len(all) || len(rows) < 24 {
		t.Errorf("docs/security.md has %d rows, %d are tested", len(rows), len(all))
	}
	known := map[string]map[string]bool{}
	for _, r := range rows {
		tests := all[r[1]]
		if len(tests) == 0 {
			t.Errorf("%s has no test", r[1])
		}
		for _, name := range tests {
			dir, test, _ := strings.Cut(name, " ")
			if known[dir] == nil {
				known[dir] = testsIn(t, dir)
			}
			if !known[dir][test] {
				t.Errorf("%s: there is no %s in %s", r[1], test, dir)
			}
		}
	}
}

// testsIn returns the tests and fuzz targets of a package.
func testsIn(t *testing.T, dir string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, dir, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: no tests: %v", dir, err)
	}
	out := map[string]bool{}
	for _, name := range files {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, src, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil {
				out[fn.Name.Name] = true
			}
		}
	}
	return out
}
