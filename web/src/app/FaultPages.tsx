import { Button } from "@mantine/core";
import { Component, type ReactNode } from "react";
import { Link } from "react-router";

import { Page, PageTitle } from "../components/Page";

export function NotFoundPage() {
  return (
    <Page>
      <PageTitle lead="The address may be mistyped, or the page has moved.">There is no such page</PageTitle>
      <Button component={Link} to="/agents" size="lg">
        Go to the assistants
      </Button>
    </Page>
  );
}

/** Shown in place of a page that failed; `resetKey` is the address, so that another page gets its chance. */
export class PageBoundary extends Component<{ resetKey: string; children: ReactNode }, { failedAt: string | null }> {
  override state = { failedAt: null };

  static getDerivedStateFromError() {
    return { failedAt: window.location.pathname };
  }

  override render() {
    if (this.state.failedAt !== this.props.resetKey) return this.props.children;
    return (
      <Page>
        <PageTitle lead="Load the page again. If that does not help, come back a little later.">
          This page could not be shown
        </PageTitle>
        <Button size="lg" onClick={() => window.location.reload()}>
          Load again
        </Button>
      </Page>
    );
  }
}
